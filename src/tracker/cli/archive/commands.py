"""`tracker export` and `import`: events as lines of JSON in a file."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from tracker.cli.event.options import PlainQuery
from tracker.cli.exits import FAILED, INTERRUPTED, USAGE, CommandError
from tracker.cli.options import Server, word_of
from tracker.cli.printing import echo, say, shown_progress


def export(
    query: PlainQuery,
    *,
    file: Annotated[
        str | None, typer.Option("--file", "-o", metavar="FILE", help="Target, compressed if it ends in .gz.")
    ] = None,
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="Write the newest events first.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted export to FILE, or start one.")
    ] = False,
    api: Server,
) -> None:
    """Write complete events, each as a line of JSON: all, or the matches of a query.

    `tracker import` reads them.

    Until an export is complete, FILE.unfinished has the state that --resume needs. A resumed file is the same
    as one written without interruption, byte by byte.

    Example: tracker export -o events.ndjson.gz 'service:shop since:90d'
    """
    from tracker.cli.archive.writing import Wanted, print_events, write_events

    wanted = Wanted(query, "-time" if newest_first else "time")
    if resume and file is None:
        raise CommandError("--resume needs --file: printed output can't be resumed", USAGE)
    try:
        with api.connected() as connection:
            if file is None:
                print_events(connection, wanted)
            else:
                write_events(connection, wanted, Path(file), resume=resume)
    except KeyboardInterrupt:
        hint = "" if file is None else "; the same command with --resume goes on"
        raise CommandError(f"interrupted{hint}", INTERRUPTED) from None


def import_(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Lines of JSON, compressed if it ends in .gz; `-` is stdin.")
    ],
    *,
    on_error: Annotated[
        str,
        typer.Option(
            "--on-error",
            metavar="[stop|skip]",
            parser=word_of("stop", "skip"),
            autocompletion=lambda: ["stop", "skip"],
            help="Whether a wrong line ends the import.",
        ),
    ] = "stop",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace stored events if the file differs.")
    ] = False,
    api: Server,
) -> None:
    """Store events unchanged: those of `tracker export`, of another tool, or written by hand.

    Each line is an event in JSON. Events whose ids are stored are skipped, so that the command can be
    repeated, also after an interruption. Imported events take no locks.

    An event without an id needs a title, a service and a type:

        {"title": "Deploy shop", "attributes": {"service": "shop", "type": "deployment"}}
    """
    from tracker.cli.archive.reading import batches, opened, outcomes

    counts: Counter[str] = Counter()
    began = time.monotonic()
    try:
        with opened(file) as source, api.connected() as connection, shown_progress() as progress:
            for outcome in outcomes(connection, batches(source), overwrite=overwrite):
                counts.update(outcome.counts)
                progress("events", counts.total(), _expected(counts.total(), outcome.position, source.size))
                for problem in outcome.problems:
                    say(f"line {problem.line}: {problem.message}")
                if outcome.problems and on_error == "stop":
                    break
    except KeyboardInterrupt:
        _print_counts(counts, began)
        raise CommandError("interrupted; the same command goes on", INTERRUPTED) from None
    _print_counts(counts, began)
    if counts["refused"]:
        if on_error == "stop":
            stopped = "stopped there; valid lines around that one may be stored already. Correct it and run"
            say(f"{stopped} the same command again, or give --on-error skip")
        raise typer.Exit(FAILED)


def _expected(events: int, position: int, size: int | None) -> int | None:
    """Return about how many events a file of a size has, from those that were read up to a position."""
    return max(events, round(events * size / position)) if size is not None and position else None


def _print_counts(counts: Counter[str], began: float) -> None:
    found = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
    rate = counts.total() / (time.monotonic() - began)
    echo(f"{found}, {rate:,.0f} a second" if found else "no events")
