"""`tracker import`: records the events of a file."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.exits import FAILED, INTERRUPTED, failures
from tracker.cli.options import DEFAULT_SERVER, Server
from tracker.cli.output import printable
from tracker.cli.progress import shown_progress

if TYPE_CHECKING:
    from tracker.cli.archive.sending import Outcome


class OnError(StrEnum):
    """What to do about a line that can't be imported."""

    STOP = "stop"
    SKIP = "skip"


def import_(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="Lines of JSON, packed where it ends in .gz; `-` reads them."),
    ],
    *,
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="Whether a line that is wrong ends the import.")
    ] = OnError.STOP,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace events that are there, where the file differs.")
    ] = False,
    server: Server = DEFAULT_SERVER,
) -> None:
    """Record events as they are: those of `tracker export`, of another tool, or written by hand.

    Each line is an event in JSON. Events whose ids are there are passed over, so that the same command may be
    run again, after an interruption too. Imported events take no locks.

    An event without an id needs a title, a service and a type:

        {"title": "Deploy shop", "attributes": {"service": "shop", "type": "deployment"}}
    """
    from tracker.cli.archive.lines import batches, opened
    from tracker.cli.archive.sending import outcomes
    from tracker.client import Connection

    tally = _Tally()
    try:
        with (
            failures(),
            opened(file) as source,
            Connection(server) as connection,
            shown_progress() as progress,
        ):
            for outcome in outcomes(connection, batches(source), overwrite=overwrite):
                tally.add(outcome)
                progress("events", tally.events, tally.expected(source.size))
                for problem in outcome.problems:
                    typer.echo(f"tracker: line {problem.line}: {printable(problem.message)}", err=True)
                if outcome.problems and on_error is OnError.STOP:
                    break
    except KeyboardInterrupt:
        tally.print()
        typer.echo("tracker: interrupted; the same command goes on", err=True)
        raise typer.Exit(INTERRUPTED) from None
    tally.print()
    if tally.refused:
        if on_error is OnError.STOP:
            told = "stopped there; what is right around that line may be stored already. Correct it and run"
            typer.echo(f"tracker: {told} the same command again, or give --on-error skip", err=True)
        raise typer.Exit(FAILED)


class _Tally:
    """What became of all lines so far."""

    def __init__(self) -> None:
        self.stored = self.unchanged = self.replaced = self.refused = 0
        self._position = 0
        self._began = time.monotonic()

    @property
    def events(self) -> int:
        """How many events were dealt with."""
        return self.stored + self.unchanged + self.replaced + self.refused

    def add(self, outcome: Outcome) -> None:
        """Count what became of a batch."""
        self.stored += outcome.stored
        self.unchanged += outcome.unchanged
        self.replaced += outcome.replaced
        self.refused += len(outcome.problems)
        self._position = outcome.position

    def expected(self, size: int | None) -> int | None:
        """Return about how many events a file of that size has, by those that have been read of it."""
        if size is None or not self._position:
            return None
        return max(self.events, round(self.events * size / self._position))

    def print(self) -> None:
        """Print it all."""
        seconds = time.monotonic() - self._began
        counts = (
            (self.stored, "stored"),
            (self.unchanged, "there already"),
            (self.replaced, "replaced"),
            (self.refused, "refused"),
        )
        told = ", ".join(f"{number:,} {what}" for number, what in counts if number)
        rate = f", {self.events / seconds:,.0f} a second" if told else ""
        typer.echo(f"{told or 'no events'}{rate}")
