"""`tracker export` and `import`: events as lines of JSON in a file."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.archive.product import PRODUCTS
from tracker.cli.event.options import PlainQuery
from tracker.cli.exits import FAILED, INTERRUPTED, USAGE, CommandError
from tracker.cli.options import Server, word_of
from tracker.cli.printing import echo, say, shown_progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.cli.archive.reading import Outcome
    from tracker.client.connection import Connection


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
        hint = "" if file is None else "; the same command with --resume continues"
        raise CommandError(f"interrupted{hint}", INTERRUPTED) from None


def import_(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="File, compressed if it ends in .gz; `-` is stdin. With --from go, an address.",
        ),
    ],
    *,
    product: Annotated[
        str,
        typer.Option(
            "--from",
            metavar=f"[tracker|{'|'.join(PRODUCTS)}]",
            parser=word_of("tracker", *PRODUCTS),
            autocompletion=lambda: ["tracker", *PRODUCTS],
            help="Whose export it is.",
        ),
    ] = "tracker",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what the fields of another product become.")
    ] = False,
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
    event_type: Annotated[
        str, typer.Option("--event-type", metavar="TYPE", help="Of New Relic's results that do not say it.")
    ] = "",
    api: Server,
) -> None:
    """Store events unchanged: those of `tracker export`, of another product, or written by hand.

    Each line is an event in JSON. Events whose ids are stored are skipped, so that the command can be
    repeated, also after an interruption. Imported events take no locks.

    An event without an id needs a title, a service and a type:

        {"title": "Deploy shop", "attributes": {"service": "shop", "type": "deployment"}}

    Exports of Alerta, Datadog, Grafana and New Relic are JSON, lines of JSON, or CSV. `--from go` reads the
    database of the Go implementation, with its catalog:

        tracker import --from go mongodb://localhost:27017/tracker --dry-run
    """
    if dry_run:
        if product == "tracker":
            raise CommandError("--dry-run is for the exports of other products, which --from names", USAGE)
        _try(product, file, event_type)
        return
    counts: Counter[str] = Counter()
    began = time.monotonic()
    noun = "line" if product == "tracker" else "record"
    try:
        with api.connected() as connection, shown_progress() as progress:
            for outcome, expected in _imports(product, file, event_type, connection, overwrite=overwrite):
                counts.update(outcome.counts)
                total = expected or _expected(counts.total(), outcome)
                progress("events", counts.total(), total)
                for problem in outcome.problems:
                    say(f"{noun} {problem.line}: {problem.message}")
                if outcome.problems and on_error == "stop":
                    break
    except KeyboardInterrupt:
        _print_counts(counts, began)
        raise CommandError("interrupted; the same command continues", INTERRUPTED) from None
    _print_counts(counts, began)
    if counts["refused"]:
        if on_error == "stop":
            stopped = (
                f"stopped there; valid {noun}s around that one may be stored already. Correct it and run"
            )
            say(f"{stopped} the same command again, or give --on-error skip")
        raise typer.Exit(FAILED)


def _try(product: str, file: str, event_type: str) -> None:
    """Print what an import of another product would do."""
    from tracker.cli.archive.foreign import DryRun, foreign

    tried = DryRun()
    with foreign(product, file, event_type) as found, shown_progress() as progress:
        tried.look(found, progress)
    tried.show()
    if product == "go":
        from tracker.cli.archive.foreign import address_of
        from tracker.cli.archive.go_store import import_catalog

        import_catalog(address_of(file), None)
    if tried.problems:
        raise typer.Exit(FAILED)


def _imports(
    product: str, file: str, event_type: str, connection: Connection, *, overwrite: bool
) -> Iterator[tuple[Outcome, int | None]]:
    """Yield the outcomes of batches, each with how many events there are, if that is known."""
    from tracker.cli.archive.reading import batches, events_in, opened, outcomes

    if product == "tracker":
        with opened(file) as source:
            read = batches(events_in(source.stream), source.position)
            for outcome in outcomes(connection, read, overwrite=overwrite):
                yield outcome._replace(size=source.size), None
        return
    from tracker.cli.archive.foreign import address_of, converted, foreign

    with foreign(product, file, event_type) as found:
        read = batches(converted(found), found.position)
        there = ("EXTERNAL_ID_TAKEN",)
        for outcome in outcomes(connection, read, overwrite=overwrite, there=there, noun="record"):
            yield outcome._replace(size=found.size), found.total
    if product == "go":
        from tracker.cli.archive.go_store import import_catalog

        import_catalog(address_of(file), connection)


def _expected(events: int, outcome: Outcome) -> int | None:
    """Return about how many events a file has, from those that were read up to a position.

    None if that is unknown: also of a file that was read to its end before its events were sent.
    """
    size, position = outcome.size, outcome.position
    return round(events * size / position) if size is not None and 0 < position < size else None


def _print_counts(counts: Counter[str], began: float) -> None:
    found = ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)
    rate = counts.total() / (time.monotonic() - began)
    echo(f"{found}, {rate:,.0f} a second" if found else "no events")
