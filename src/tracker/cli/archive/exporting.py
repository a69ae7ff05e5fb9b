"""`tracker export`: writes events to a file."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.exits import INTERRUPTED, USAGE, failures
from tracker.cli.options import DEFAULT_SERVER, Query, QueryOption, Server, query_of
from tracker.cli.progress import shown_progress

if TYPE_CHECKING:
    from tracker.cli.archive.pages import Wanted
    from tracker.client import Connection


def export(  # noqa: PLR0913  # one for each option
    words: Query = None,
    *,
    query: QueryOption = "",
    file: Annotated[
        str | None,
        typer.Option("--file", "-o", metavar="FILE", help="Target, compressed if it ends in .gz."),
    ] = None,
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="Write the newest events first.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue an interrupted export to FILE, or start one."),
    ] = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Write complete events, each as a line of JSON: all, or the matches of a query.

    `tracker import` reads them.

    Until an export is complete, FILE.unfinished has the state that --resume needs. A resumed file is the same
    as one written without interruption, byte by byte.

    Example: tracker export -o events.ndjson.gz 'service:shop since:90d'
    """
    from tracker.cli.archive.pages import Wanted
    from tracker.client import Connection

    wanted = Wanted(query_of(words, query), "-time" if newest_first else "time")
    if resume and file is None:
        raise CommandError("--resume needs --file: printed output can't be resumed", USAGE)
    try:
        with failures(), Connection(server) as connection:
            if file is None:
                _print(connection, wanted)
            else:
                _write(connection, wanted, Path(file), resume=resume)
    except KeyboardInterrupt:
        hint = "" if file is None else "; the same command with --resume goes on"
        typer.echo(f"tracker: interrupted{hint}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _print(connection: Connection, wanted: Wanted) -> None:
    from tracker.cli.archive.pages import pages

    for page in pages(connection, wanted, ""):
        sys.stdout.buffer.write(page.lines)
    sys.stdout.buffer.flush()


def _write(connection: Connection, wanted: Wanted, path: Path, *, resume: bool) -> None:
    from tracker.cli.archive.growing import growing
    from tracker.cli.archive.pages import pages

    began = time.monotonic()
    with growing(path, wanted, resume=resume) as file, shown_progress() as progress:
        before = file.place.events
        for page in pages(connection, wanted, file.place.token):
            file.add(page)
            progress("events", file.place.events, max(page.total, file.place.events))
    written = file.place.events - before
    rate = written / (time.monotonic() - began)
    resumed = f", {before:,} of them before" if before else ""
    typer.echo(f"{file.place.events:,} events are in {path}{resumed}, {rate:,.0f} a second")
