"""`tracker event`: record what happens, change it, find it again."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.calls import Api
from tracker.cli.event import decisions, relations
from tracker.cli.event.options import EventFields, EventId, Explain, Query, event_options
from tracker.cli.exits import EVENT_TABLE, INTERRUPTED, USAGE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.local_time import local_zone
from tracker.cli.options import (
    ListApi,
    RecordApi,
    Who,
    Yes,
    api_options,
    choice_option,
    command_of,
    confirm_deletion,
    number_option,
)
from tracker.cli.printing import Output, echo, fields_of, json_of, print_each, print_json
from tracker.cli.short_ids import whole_event_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import protobuf

    from tracker.client.connection import Connection
    from tracker.pb import event_pb
    from tracker.transcoding.json_text import JsonValue

app = client_group("Record, change and find deployments, operations, drifts and incidents.", EVENT_TABLE)
command = partial(command_of, app, codes=EVENT_TABLE)

_ENDINGS = ("success", "failure", "error", "done", "close")

_PAGE = 1_000
"""Events of a page."""

Limit = Annotated[int, number_option("Events to print; 0 prints all.", "--limit", "-n", least=0)]


@command("create")
def create(
    fields: Annotated[EventFields, event_options("service", "type")],
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What happens, in one line.")],
    *,
    who: Who,
    api: RecordApi,
) -> None:
    """Record an event, and print its id.

    A deployment or an operation that begins takes the lock of its service and environment; if another event
    holds it, nothing is recorded. Repeated with the same --source and --external-id, the event is updated.

    Example: tracker event create "Deploy payments 2.4.0" --service payments --type deployment --status start
    """
    from tracker.client.rpcs import CREATE_EVENT

    answer = api.call(CREATE_EVENT, CREATE_EVENT.of(fields.request(api, title=title, who=who)))
    _show(api, answer, answer.event, "updated" if answer.updated else "created")


@command("update")
def update(
    fields: Annotated[EventFields, event_options()],
    id_: EventId,
    *,
    title: Annotated[str, typer.Option(metavar="TITLE", help="What happens, in one line.")] = "",
    who: Who,
    api: RecordApi,
) -> None:
    """Change the given fields of an event; all others stay.

    Labels are added; `--label NAME=` removes one.
    """
    if not (title or fields):
        raise CommandError("nothing to change: give at least one option, such as --status", USAGE)
    for name in fields.unset:
        raise CommandError(f"--{name}: expected a value other than none, which an update keeps", USAGE)
    _merge(api, "updated", fields.request(api, id=whole_event_id(api, id_), title=title, who=who))


@command("finish")
def finish(
    id_: EventId,
    *,
    status: Annotated[
        str, choice_option("event_pb.Status", f"How it ended: {', '.join(_ENDINGS)}.", "--status")
    ] = "success",
    message: Annotated[str, typer.Option(metavar="TEXT", help="What happened, in free text.")] = "",
    who: Who,
    api: RecordApi,
) -> None:
    """End an event: change its status, set its duration and release its locks."""
    if status not in _ENDINGS:
        raise CommandError(f"--status: expected one of {', '.join(_ENDINGS)}, got {status!r}", USAGE)
    ended: JsonValue = {"status": status, "message": message}
    _merge(api, "finished", {"id": whole_event_id(api, id_), "attributes": ended, "who": who})


@command("comment")
def comment(
    id_: EventId,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The comment.")],
    *,
    who: Who,
    api: RecordApi,
) -> None:
    """Add a comment to the changelog of an event."""
    from tracker.client.rpcs import ADD_CHANGELOG_ENTRY

    entry: JsonValue = {"user": who, "change_type": "commented", "comment": text}
    answer = api.call(
        ADD_CHANGELOG_ENTRY, ADD_CHANGELOG_ENTRY.of({"id": whole_event_id(api, id_), "entry": entry})
    )
    _show(api, answer, answer.event, "commented on")


@command("delete")
def delete(id_: EventId, *, yes: Yes = False, who: Who, api: RecordApi) -> None:
    """Delete an event permanently, and release its locks."""
    from tracker.client.rpcs import DELETE_EVENTS, GET_EVENT

    id_ = whole_event_id(api, id_)

    def title() -> str:
        event = api.call(GET_EVENT, GET_EVENT.request(id=id_)).event
        return event.title if event is not None else ""

    confirm_deletion(yes, "event", title)
    answer = api.call(DELETE_EVENTS, DELETE_EVENTS.request(id=id_, who=who))
    api.show(answer, lambda: echo(f"deleted {answer.id}"))


def _merge(api: Api, done: str, fields: dict[str, JsonValue]) -> None:
    from tracker.client.rpcs import UPDATE_EVENT

    answer = api.call(UPDATE_EVENT, UPDATE_EVENT.of({**fields, "merge": True}))
    _show(api, answer, answer.event, done)


def _show(api: Api, answer: protobuf.Message, event: event_pb.Event | None, done: str) -> None:
    """Print what was done to an event; in a pipe its id alone, for the next command."""
    id_ = event.metadata.id if event is not None and event.metadata is not None else ""
    api.show(answer, lambda: echo(f"{done} {id_}" if sys.stdout.isatty() else id_))


@command("get")
def get(id_: EventId, *, api: RecordApi) -> None:
    """Show an event with its changelog."""
    from tracker.cli.event.shown import print_changelog, print_event
    from tracker.client.rpcs import GET_EVENT
    from tracker.pb import event_pb

    answer = api.call(GET_EVENT, GET_EVENT.request(id=whole_event_id(api, id_)))
    event = answer.event or event_pb.Event()

    def text() -> None:
        print_event(event)
        print_changelog(event.changelog)
        if event.changelog_total:
            typer.echo(f"the newest of {event.changelog_total}; `tracker event changelog` has all", err=True)

    api.show(answer, text)


@command("changelog")
def changelog(id_: EventId, *, api: RecordApi) -> None:
    """Show the changelog of an event, the oldest entry first."""
    from protobuf.wkt import UInt32Value

    from tracker.cli.event.shown import print_changelog
    from tracker.client.rpcs import GET_EVENT_CHANGELOG

    asked = GET_EVENT_CHANGELOG.request(id=whole_event_id(api, id_), per_page=UInt32Value(value=_PAGE))
    answer = api.whole(GET_EVENT_CHANGELOG, asked)
    api.show(answer, lambda: print_changelog(answer.changelog))


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
    if not explain:
        _show_found(api, query, limit)
        return
    from protobuf.wkt import UInt32Value

    from tracker.cli.event.shown import show_plan
    from tracker.client.rpcs import SEARCH_EVENTS

    size = UInt32Value(value=min(limit or _PAGE, _PAGE))
    request = SEARCH_EVENTS.request(query=query, per_page=size, explain=True, time_zone=local_zone().key)
    found = api.call(SEARCH_EVENTS, request)
    more = " or more" if found.total_count_estimated else ""
    show_plan(api, found.plan, f"{found.total_count:,}{more}")


def _show_found(api: Api, query: str, limit: int) -> None:
    from tracker.cli.event.shown import EVENTS

    with api.connected() as connection:
        events = _found(connection, query, limit)
        api.show_list(
            lambda: {"events": [json_of(each, api.output) for each in events]}, events, EVENTS, "no events"
        )


def _found(connection: Connection, query: str, limit: int) -> Iterator[event_pb.Event]:
    """Yield up to `limit` matches of a query, newest first, 0 for all; pages are fetched as needed."""
    from protobuf.wkt import UInt32Value

    from tracker.client.rpcs import LIST_EVENTS, SEARCH_EVENTS

    left, token = limit, ""
    while True:
        size = UInt32Value(value=min(left, _PAGE) if limit else _PAGE)
        page: event_pb.SearchEventsResponse | event_pb.ListEventsResponse
        if query:
            search = SEARCH_EVENTS.request(
                query=query, per_page=size, page_token=token, time_zone=local_zone().key
            )
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
        number_option("Last events to print first, up to 1000.", "--last", "-n", least=0, most=1_000),
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
    show = _change_printer(api.output)
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
    for message in watch(connection, query, resume, _print_interruption, local_zone().key):
        if message.event is None:
            for event in reversed(list(_found(connection, query, last)) if last else []):
                printed.add(event.to_binary())
                yield event_pb.WatchEventsResponse(event=event)
            last = 0
        elif not printed or message.event.to_binary() not in printed:
            yield message


def _print_interruption(why: str) -> None:
    echo(f"{why}; continues when the server is back", err=True)


def _change_printer(output: Output) -> Callable[[event_pb.WatchEventsResponse], None]:
    """Return a function that prints a change: as a line for people, or its fields that are set."""
    match output:
        case Output.TEXT:
            from tracker.cli.event.shown import change_printer

            return change_printer()
        case Output.YAML:
            return lambda message: print_each([message], output)
        case _:
            return lambda message: print_json(fields_of(message))


command("approve")(decisions.approve)
command("reject")(decisions.reject)
command("related")(relations.related)
command("overlaps")(relations.overlaps)
