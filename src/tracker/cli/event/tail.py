"""`tracker event tail`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.event.group import EPILOG, app
from tracker.cli.event.options import takes_query
from tracker.cli.exits import SIGNALLED, failures
from tracker.cli.options import DEFAULT_SERVER, Server, output_option
from tracker.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.client import Connection
    from tracker.pb import event_pb

_INTERRUPTED = SIGNALLED + 2


@app.command("tail", epilog=EPILOG)
@takes_query
def tail(  # one for each option
    query: str,
    *,
    last: Annotated[
        int,
        typer.Option("--last", "-n", min=0, max=1_000, metavar="NUMBER", help="Last events to print first."),
    ] = 10,
    resume: Annotated[
        str,
        typer.Option(metavar="TOKEN", help="Continue after the resumeToken of an `ndjson` line."),
    ] = "",
    server: Server = DEFAULT_SERVER,
    output: Annotated[
        Output,
        output_option(
            "`ndjson` prints each change as a line of JSON, `yaml` as a document.",
            Output.NDJSON,
            Output.YAML,
        ),
    ] = Output.TEXT,
) -> None:
    """Print events as they are recorded, changed and deleted, until interrupted.

    After a broken connection, it continues after the last line as soon as the server is available again.

    Example: tracker event tail 'env:prod status:(failure OR error)'
    """
    from tracker.client import Connection

    show = _line_printer() if output is Output.TEXT else lambda message: _print(message, output)
    try:
        with failures(), Connection(server) as connection:
            for message in _changes(connection, query, resume, 0 if resume else last):
                show(message)
    except KeyboardInterrupt:
        raise typer.Exit(_INTERRUPTED) from None


def _changes(
    connection: Connection, query: str, resume: str, last: int
) -> Iterator[event_pb.WatchEventsResponse]:
    """Yield the last events, then all changes from now on: none is missed or repeated."""
    from tracker.cli.event.queries import found_events
    from tracker.client.watching import watch
    from tracker.pb import event_pb

    printed = set[bytes]()
    for message in watch(connection, query, resume, _lost):
        if message.event is None:
            for event in reversed(list(found_events(connection, query, last)) if last else []):
                printed.add(event.to_binary())
                yield event_pb.WatchEventsResponse(event=event)
            last = 0
        elif not printed or message.event.to_binary() not in printed:
            yield message


def _lost(why: str) -> None:
    typer.echo(f"{why}; goes on when the server is there again", err=True)


def _print(message: event_pb.WatchEventsResponse, output: Output) -> None:
    from protobuf import message_to_json_value

    if output is Output.YAML:
        from tracker.cli.documents import print_each

        print_each([message], output)
    else:
        typer.echo(json.dumps(message_to_json_value(message), ensure_ascii=False))


def _line_printer() -> Callable[[event_pb.WatchEventsResponse], None]:
    """Return what prints a change as a line."""
    from tracker.cli.event.shown import change_line
    from tracker.cli.records import line_printer

    print_line = line_printer()
    return lambda message: print_line(change_line(message))
