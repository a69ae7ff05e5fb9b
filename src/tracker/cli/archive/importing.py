"""`tracker import`: stores the events of a file."""

from __future__ import annotations

import time
from collections import Counter
from enum import StrEnum
from typing import Annotated

import typer

from tracker.cli.exits import FAILED, INTERRUPTED, failures
from tracker.cli.options import DEFAULT_SERVER, Server
from tracker.cli.output import printable
from tracker.cli.progress import shown_progress


class OnError(StrEnum):
    """What to do with a line that can't be imported."""

    STOP = "stop"
    SKIP = "skip"


def import_(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Lines of JSON, compressed if it ends in .gz; `-` is stdin."),
    ],
    *,
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="Whether a wrong line ends the import.")
    ] = OnError.STOP,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace stored events if the file differs.")
    ] = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Store events unchanged: those of `tracker export`, of another tool, or written by hand.

    Each line is an event in JSON. Events whose ids are stored are skipped, so that the command can be
    repeated, also after an interruption. Imported events take no locks.

    An event without an id needs a title, a service and a type:

        {"title": "Deploy shop", "attributes": {"service": "shop", "type": "deployment"}}
    """
    from tracker.cli.archive.lines import batches, opened
    from tracker.cli.archive.sending import outcomes
    from tracker.client import Connection

    counts: Counter[str] = Counter()
    began = time.monotonic()
    try:
        with (
            failures(),
            opened(file) as source,
            Connection(server) as connection,
            shown_progress() as progress,
        ):
            for outcome in outcomes(connection, batches(source), overwrite=overwrite):
                counts.update(outcome.counts)
                progress("events", counts.total(), _expected(counts.total(), outcome.position, source.size))
                for problem in outcome.problems:
                    typer.echo(f"tracker: line {problem.line}: {printable(problem.message)}", err=True)
                if outcome.problems and on_error is OnError.STOP:
                    break
    except KeyboardInterrupt:
        _print(counts, began)
        typer.echo("tracker: interrupted; the same command goes on", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _print(counts, began)
    if counts["refused"]:
        if on_error is OnError.STOP:
            stopped = "stopped there; valid lines around that one may be stored already. Correct it and run"
            typer.echo(f"tracker: {stopped} the same command again, or give --on-error skip", err=True)
        raise typer.Exit(FAILED)


def _expected(events: int, position: int, size: int | None) -> int | None:
    """Return about how many events a file of a size has, from those that were read up to a position."""
    return max(events, round(events * size / position)) if size is not None and position else None


def _print(counts: Counter[str], began: float) -> None:
    found = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
    rate = counts.total() / (time.monotonic() - began)
    typer.echo(f"{found}, {rate:,.0f} a second" if found else "no events")
