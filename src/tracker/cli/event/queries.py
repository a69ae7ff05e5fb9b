"""`tracker event get`, `changelog`, `list`, `search` and `tail`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.calls import Api
from tracker.cli.event.options import EventId, Explain, Query, command
from tracker.cli.exits import INTERRUPTED, USAGE, CommandError
from tracker.cli.options import ListApi, RecordApi, api_options
from tracker.cli.printing import Output, json_of, line_printer, print_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.client.connection import Connection
    from tracker.pb import event_pb

_PAGE = 1_000
"""Events of a page."""

Limit = Annotated[
    int, typer.Option("--limit", "-n", min=0, metavar="NUMBER", help="Events to print; 0 prints all.")
]


@command("get")
def get(id_: EventId, *, api: RecordApi) -> None:
    """Show an event with its changelog."""
    from tracker.cli.event.shown import print_changelog, print_event
    from tracker.client.rpcs import GET_EVENT
    from tracker.pb import event_pb

    answer = api.call(GET_EVENT, GET_EVENT.request(id=id_))
    event = answer.event or event_pb.Event()

    def text() -> None:
        print_event(event)
        print_changelog(event.changelog)

    api.show(answer, text)


@command("changelog")
def changelog(id_: EventId, *, api: RecordApi) -> None:
    """Show the changelog of an event, the oldest entry first."""
    from tracker.cli.event.shown import print_changelog
    from tracker.client.rpcs import GET_EVENT
    from tracker.pb import event_pb

    event = api.call(GET_EVENT, GET_EVENT.request(id=id_)).event
    entries = event.changelog if event is not None else []
    answer = event_pb.GetEventChangelogResponse(changelog=entries, total_count=len(entries))
    api.show(answer, lambda: print_changelog(entries))


@command("list")
def list_events(query: Query, *, limit: Limit = 20, api: ListApi) -> None:
    """List events, newest first; with a query, its matches."""
    _show_found(api, query, limit)


@command("search")
def search(query: Query, *, limit: Limit = 100, explain: Explain = False, api: ListApi) -> None:
    """Find events, newest first.

    A query that begins with `-` follows `--`, or is written as in `--query=-type:drift`.

    Example: tracker event search 'status:(failure OR error) env:prod since:24h'
    """
    if not query.strip():
        raise CommandError("expected a query, such as 'status:failure since:24h'", USAGE)
    if explain:
        _explain(api, query, limit)
    else:
        _show_found(api, query, limit)


def _show_found(api: Api, query: str, limit: int) -> None:
    from tracker.cli.event.shown import EVENTS

    with api.connected() as connection:
        events = _found(connection, query, limit)
        api.show_list(
            lambda: {"events": [json_of(each, api.output) for each in events]}, events, EVENTS, "no events"
        )


def _explain(api: Api, query: str, limit: int) -> None:
    from protobuf.wkt import UInt32Value

    from tracker.cli.event.shown import show_plan
    from tracker.client.rpcs import SEARCH_EVENTS

    size = UInt32Value(value=min(limit or _PAGE, _PAGE))
    found = api.call(SEARCH_EVENTS, SEARCH_EVENTS.request(query=query, per_page=size, explain=True))
    show_plan(api, found, f"{found.total_count:,}{' or more' if found.total_count_estimated else ''}")


def _found(connection: Connection, query: str, limit: int) -> Iterator[event_pb.Event]:
    """Yield up to `limit` matches of a query, newest first, 0 for all; pages are fetched as needed."""
    from protobuf.wkt import UInt32Value

    from tracker.client.rpcs import LIST_EVENTS, SEARCH_EVENTS

    left, token = limit, ""
    while True:
        size = UInt32Value(value=min(left, _PAGE) if limit else _PAGE)
        page: event_pb.SearchEventsResponse | event_pb.ListEventsResponse
        if query:
            search = SEARCH_EVENTS.request(query=query, per_page=size, page_token=token)
            page = connection.call(SEARCH_EVENTS, search)
        else:
            page = connection.call(LIST_EVENTS, LIST_EVENTS.request(per_page=size, page_token=token))
        yield from page.events
        left, token = left - len(page.events), page.next_page_token
        if not token or (limit and left <= 0):
            return


@command("tail")
def tail(
    query: Query,
    *,
    last: Annotated[
        int,
        typer.Option("--last", "-n", min=0, max=1_000, metavar="NUMBER", help="Last events to print first."),
    ] = 10,
    resume: Annotated[
        str, typer.Option(metavar="TOKEN", help="Continue after the resumeToken of an `ndjson` line.")
    ] = "",
    api: Annotated[
        Api,
        api_options(
            "`ndjson` prints each change as a line of JSON, `yaml` as a document.", Output.NDJSON, Output.YAML
        ),
    ],
) -> None:
    """Print events as they are recorded, changed and deleted, until interrupted.

    After a broken connection, it continues after the last line as soon as the server is available again.

    Example: tracker event tail 'env:prod status:(failure OR error)'
    """
    show = (
        _line_printer() if api.output is Output.TEXT else lambda message: _print_change(message, api.output)
    )
    try:
        with api.connected() as connection:
            for message in _changes(connection, query, resume, 0 if resume else last):
                show(message)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _changes(
    connection: Connection, query: str, resume: str, last: int
) -> Iterator[event_pb.WatchEventsResponse]:
    """Yield the last events, then all changes from now on: none is missed or repeated."""
    from tracker.client.connection import watch
    from tracker.pb import event_pb

    printed = set[bytes]()
    for message in watch(connection, query, resume, _report_interruption):
        if message.event is None:
            for event in reversed(list(_found(connection, query, last)) if last else []):
                printed.add(event.to_binary())
                yield event_pb.WatchEventsResponse(event=event)
            last = 0
        elif not printed or message.event.to_binary() not in printed:
            yield message


def _report_interruption(why: str) -> None:
    typer.echo(f"{why}; goes on when the server is there again", err=True)


def _print_change(message: event_pb.WatchEventsResponse, output: Output) -> None:
    from protobuf import message_to_json_value

    if output is Output.YAML:
        print_each([message], output)
    else:
        typer.echo(json.dumps(message_to_json_value(message), ensure_ascii=False))


def _line_printer() -> Callable[[event_pb.WatchEventsResponse], None]:
    """Return a function that prints a change as a line."""
    from tracker.cli.event.shown import change_line

    print_line = line_printer()
    return lambda message: print_line(change_line(message))
