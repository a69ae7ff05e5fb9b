"""`tracker event get`, `changelog`, `list` and `search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.event.group import EPILOG, app
from tracker.cli.event.options import EventId, Format, Listing
from tracker.cli.exits import USAGE, failures
from tracker.cli.options import DEFAULT_SERVER, Server
from tracker.cli.options import Format as OneFormat
from tracker.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.client import Connection
    from tracker.pb import event_pb

_PAGE = 1_000
"""Events to ask for at a time."""

Limit = Annotated[
    int, typer.Option("--limit", "-n", min=0, metavar="NUMBER", help="Events to print; 0 prints all.")
]


@app.command("get", epilog=EPILOG)
def get(id_: EventId, *, server: Server = DEFAULT_SERVER, output: OneFormat = Output.TEXT) -> None:
    """Show an event, and all that was done to it."""
    from tracker.cli.event.shown import print_changelog, print_event
    from tracker.cli.records import print_json
    from tracker.client import Connection
    from tracker.client.events import GET_EVENT

    with failures(output), Connection(server) as connection:
        answer = connection.call(GET_EVENT, GET_EVENT.request(id=id_))
    if output is Output.JSON:
        print_json(answer)
    elif answer.event is not None:
        print_event(answer.event)
        print_changelog(answer.event.changelog)


@app.command("changelog", epilog=EPILOG)
def changelog(id_: EventId, *, server: Server = DEFAULT_SERVER, output: OneFormat = Output.TEXT) -> None:
    """Show what was done to an event, the oldest first."""
    from tracker.cli.event.shown import print_changelog
    from tracker.cli.records import print_json
    from tracker.client import Connection
    from tracker.client.events import GET_EVENT
    from tracker.pb import event_pb

    with failures(output), Connection(server) as connection:
        event = connection.call(GET_EVENT, GET_EVENT.request(id=id_)).event
    entries = event.changelog if event is not None else []
    if output is Output.JSON:
        print_json(event_pb.GetEventChangelogResponse(changelog=entries, total_count=len(entries)))
    else:
        print_changelog(entries)


@app.command("list", epilog=EPILOG)
def list_events(
    *,
    query: Annotated[
        str, typer.Option(metavar="QUERY", help="Which events, as in `tracker event search`.")
    ] = "",
    limit: Limit = 20,
    server: Server = DEFAULT_SERVER,
    output: Format = Listing.TEXT,
) -> None:
    """List events, the newest first."""
    _print_found(query, limit, server, output)


@app.command("search", epilog=EPILOG)
def search(
    query: Annotated[
        list[str], typer.Argument(metavar="QUERY", help="Which events; several arguments are one query.")
    ],
    *,
    limit: Limit = 100,
    server: Server = DEFAULT_SERVER,
    output: Format = Listing.TEXT,
) -> None:
    """Find events, the newest first.

    A query that begins with `-` stands behind `--`.

    Example: tracker event search 'status:(failure OR error) env:prod since:24h'
    """
    text = " ".join(query)
    if not text.strip():
        raise CommandError("expected a query, such as 'status:failure since:24h'", USAGE)
    _print_found(text, limit, server, output)


def _print_found(query: str, limit: int, server: str, output: Listing) -> None:
    from tracker.cli.event.shown import print_csv, print_events, print_lines, print_list
    from tracker.client import Connection

    show = {
        Listing.TEXT: print_events,
        Listing.JSON: print_list,
        Listing.NDJSON: print_lines,
        Listing.CSV: print_csv,
    }[output]
    with failures(output), Connection(server) as connection:
        show(found_events(connection, query, limit))


def found_events(connection: Connection, query: str, limit: int) -> Iterator[event_pb.Event]:
    """Give the newest events that a query finds, 0 for all, page by page as they are taken."""
    from protobuf.wkt import UInt32Value

    from tracker.client.events import LIST_EVENTS, SEARCH_EVENTS

    left, token = limit, ""
    while True:
        size = UInt32Value(value=min(left, _PAGE) if limit else _PAGE)
        page = (
            connection.call(
                SEARCH_EVENTS, SEARCH_EVENTS.request(query=query, per_page=size, page_token=token)
            )
            if query
            else connection.call(LIST_EVENTS, LIST_EVENTS.request(per_page=size, page_token=token))
        )
        yield from page.events
        left, token = left - len(page.events), page.next_page_token
        if not token or (limit and left <= 0):
            return
