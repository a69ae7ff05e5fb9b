"""`tracker event get`, `changelog`, `list` and `search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.calls import ask
from tracker.cli.errors import CommandError
from tracker.cli.event.group import EPILOG, app
from tracker.cli.event.options import EventId, takes_query
from tracker.cli.exits import USAGE, failures
from tracker.cli.options import (
    DEFAULT_SERVER,
    Format,
    ListFormat,
    Server,
)
from tracker.cli.output import Output
from tracker.cli.plans import Explain, print_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.client import Connection
    from tracker.pb import event_pb

_PAGE = 1_000
"""Events of a page."""

Limit = Annotated[
    int, typer.Option("--limit", "-n", min=0, metavar="NUMBER", help="Events to print; 0 prints all.")
]


@app.command("get", epilog=EPILOG)
def get(id_: EventId, *, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT) -> None:
    """Show an event with its changelog."""
    from tracker.cli.documents import print_answer
    from tracker.cli.event.shown import print_changelog, print_event
    from tracker.client.events import GET_EVENT
    from tracker.pb import event_pb

    answer = ask(server, output, GET_EVENT, GET_EVENT.request(id=id_))
    event = answer.event or event_pb.Event()

    def text() -> None:
        print_event(event)
        print_changelog(event.changelog)

    print_answer(answer, output, text)


@app.command("changelog", epilog=EPILOG)
def changelog(id_: EventId, *, server: Server = DEFAULT_SERVER, output: Format = Output.TEXT) -> None:
    """Show the changelog of an event, the oldest entry first."""
    from tracker.cli.documents import print_answer
    from tracker.cli.event.shown import print_changelog
    from tracker.client.events import GET_EVENT
    from tracker.pb import event_pb

    event = ask(server, output, GET_EVENT, GET_EVENT.request(id=id_)).event
    entries = event.changelog if event is not None else []
    answer = event_pb.GetEventChangelogResponse(changelog=entries, total_count=len(entries))
    print_answer(answer, output, lambda: print_changelog(entries))


@app.command("list", epilog=EPILOG)
@takes_query
def list_events(
    query: str,
    *,
    limit: Limit = 20,
    server: Server = DEFAULT_SERVER,
    output: ListFormat = Output.TEXT,
) -> None:
    """List events, newest first; with a query, its matches."""
    _print_found(query, limit, server, output)


@app.command("search", epilog=EPILOG)
@takes_query
def search(  # one for each option
    query: str,
    *,
    limit: Limit = 100,
    explain: Explain = False,
    server: Server = DEFAULT_SERVER,
    output: ListFormat = Output.TEXT,
) -> None:
    """Find events, newest first.

    A query that begins with `-` follows `--`, or is written as in `--query=-type:drift`.

    Example: tracker event search 'status:(failure OR error) env:prod since:24h'
    """
    if not query.strip():
        raise CommandError("expected a query, such as 'status:failure since:24h'", USAGE)
    if explain:
        _explain(query, limit, server, output)
        return
    _print_found(query, limit, server, output)


def _print_found(query: str, limit: int, server: str, output: Output) -> None:
    from tracker.cli.documents import json_of, print_csv, print_document, print_each
    from tracker.cli.event.shown import COLUMNS, event_row, print_events
    from tracker.client import Connection

    with failures(output), Connection(server) as connection:
        events = found_events(connection, query, limit)
        match output:  # the pages of an answer are printed as they arrive
            case Output.TEXT:
                print_events(events)
            case Output.NDJSON:
                print_each(events, output)
            case Output.CSV:
                print_csv(map(str.lower, COLUMNS), map(event_row, events))
            case _:
                print_document({"events": [json_of(event, output) for event in events]}, output)


def _explain(query: str, limit: int, server: str, output: Output) -> None:
    from protobuf.wkt import UInt32Value

    from tracker.client.events import SEARCH_EVENTS

    size = UInt32Value(value=min(limit or _PAGE, _PAGE))
    request = SEARCH_EVENTS.request(query=query, per_page=size, explain=True)
    found = ask(server, output, SEARCH_EVENTS, request)
    print_plan(found, f"{found.total_count:,}{' or more' if found.total_count_estimated else ''}", output)


def found_events(connection: Connection, query: str, limit: int) -> Iterator[event_pb.Event]:
    """Yield up to `limit` matches of a query, newest first, 0 for all; pages are fetched as needed."""
    from protobuf.wkt import UInt32Value

    from tracker.client.events import LIST_EVENTS, SEARCH_EVENTS

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
