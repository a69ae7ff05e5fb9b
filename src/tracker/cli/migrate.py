"""`tracker migrate`: moves a store to another place, from a file to MongoDB or back."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.stores.contents import Kind, StoreContents
    from tracker.stores.migration import Progress, Summary

_LINE_SECONDS = 5.0
"""Time between two lines of progress, where there is no terminal."""

_INTERRUPTED = 130
"""Exit code of a process that was interrupted, as shells count it."""

_PLACE = "A file, a MongoDB address, or env:NAME for a variable that has one of these."


def migrate(
    source: Annotated[
        str, typer.Option("--from", metavar="STORE", help=f"The store that is there. {_PLACE}")
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="STORE", help="Where it goes: a place like that, and empty.")
    ],
) -> None:
    """Move a store: from a file to a MongoDB database, or back.

    Everything goes: events, catalog, links, locks that are held, fencing tokens, ends of locks. The
    store that it comes from stays as it is. Stop all servers on both first.

    Interrupted, the same command goes on where it was. Until everything is there and found the same by
    counts and digests, no server starts on the new store.

    An address with a password is better kept out of the arguments, which every user of a machine can
    read:

        tracker migrate --from data/tracker.db --to env:MONGO_URI
    """
    from tracker.errors import TrackerError
    from tracker.stores.base import StoreOpenError
    from tracker.stores.choice import chosen_contents
    from tracker.stores.migration import MigrationError
    from tracker.stores.migration import migrate as move

    started = time.monotonic()
    try:
        origin = chosen_contents(_place(source, "--from"), "--from", _Unobserved())
        destination = chosen_contents(_place(target, "--to"), "--to", _Unobserved())
        with _shown() as progress:
            summaries = asyncio.run(move(origin, destination, progress))
    except (StoreOpenError, MigrationError) as error:
        raise CommandError(str(error)) from None
    except TrackerError as error:
        raise CommandError(f"{error.message}; run the same command again, which goes on") from None
    except KeyboardInterrupt:
        typer.echo("tracker: interrupted; run the same command again, which goes on", err=True)
        sys.exit(_INTERRUPTED)
    _report(origin, destination, summaries, time.monotonic() - started)


def _place(given: str, argument: str) -> str:
    """Return where a store is, from the variable that is named, or as it is given."""
    if not given.startswith("env:"):
        return given
    name = given.removeprefix("env:")
    place = os.environ.get(name, "")
    if not place:
        raise CommandError(f"{argument} names the environment variable {name}, which is not set")
    return place


def _report(
    source: StoreContents, target: StoreContents, summaries: Mapping[Kind, Summary], seconds: float
) -> None:
    typer.echo(f"{source.name} is now in {target.name}, the same by counts and digests:")
    for kind, summary in summaries.items():
        typer.echo(f"  {summary.records:>11,} {kind:<15} {summary.digest:064x}")
    records = sum(summary.records for summary in summaries.values())
    typer.echo(f"{records:,} records in {seconds:.1f} s, {records / seconds:,.0f} a second")


class _Unobserved:
    """Measures nothing of a store's work."""

    def committed(self, seconds: float, changes: int) -> None:
        """Pass over a commit."""

    def queued(self, changes: int) -> None:
        """Pass over the length of a queue."""


@contextmanager
def _shown() -> Iterator[Progress]:
    """Show a bar on the terminal, or lines now and then where there is none."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("opening", total=None)
        shown = ""

        def progress(step: str, done: int, total: int) -> None:
            nonlocal shown
            if step != shown:
                bars.reset(task, description=step)
                shown = step
            bars.update(task, completed=done, total=total)

        yield progress


class _Lines:
    """Writes a line for the beginning of each step, and every few seconds."""

    def __init__(self) -> None:
        self._step = ""
        self._due = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Write how far a step has come, if that is due."""
        now = time.monotonic()
        if step != self._step or done == total or now >= self._due:
            self._step, self._due = step, now + _LINE_SECONDS
            typer.echo(f"{step}: {done:,} of {total:,}", err=True)
