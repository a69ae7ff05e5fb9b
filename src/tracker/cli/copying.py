"""`tracker backup`, `restore`, `compact`, `migrate` and `demo`: commands that open a store themselves."""

from __future__ import annotations

import os
import shlex
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.exits import INTERRUPTED, CommandError
from tracker.cli.options import number_option
from tracker.cli.printing import echo, shown_progress
from tracker.cli.server import settings_options
from tracker.cli.time_options import moment_option
from tracker.config import Configuration
from tracker.number_text import number_of
from tracker.time_text import micros_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.demo.company import Company
    from tracker.pb import event_pb
    from tracker.stores.contents import StoreContents

_PLACE = "A file, a MongoDB address, or env:NAME for a variable that has one of these."
"""The forms of the argument, for the help."""


def _contents(place: str, argument: str) -> StoreContents:
    """Return the contents of the store at a place, which the argument or a variable that it names gives."""
    from tracker.stores.base import Unobserved
    from tracker.stores.choice import chosen_contents

    if place.startswith("env:"):
        name = place.removeprefix("env:")
        place = os.environ.get(name, "")
        if not place:
            raise CommandError(f"{argument} names the environment variable {name}, which is not set")
    return chosen_contents(place, argument, Unobserved())


@contextmanager
def _filling(command: str) -> Iterator[Callable[[str, int, int | None], None]]:
    """Show the progress of filling a store; turn its failure into that of the command.

    `command` is what to run again after an interruption.
    """
    from tracker.errors import TrackerError
    from tracker.stores.base import StoreOpenError
    from tracker.stores.migration import MigrationError

    try:
        with shown_progress() as progress:
            yield progress
    except (StoreOpenError, MigrationError) as error:
        raise CommandError(str(error)) from None
    except TrackerError as error:
        raise CommandError(f"{error.message}; run {command} again to continue") from None
    except KeyboardInterrupt:
        raise CommandError(f"interrupted; run {command} again to continue", INTERRUPTED) from None


def backup(
    configuration: Annotated[Configuration, settings_options("database_path")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Target of the copy; must not exist.")],
) -> None:
    """Copy the store to FILE.

    A server may use the store meanwhile. The copy is its state at one moment, and is verified.
    """
    from tracker.stores.sqlite import backup as copies

    source = configuration.settings.database_path
    try:
        with shown_progress(sizes=True) as progress:
            copied = copies.backup(
                source, file, lambda done, total: progress(f"copying {source}", done, total)
            )
    except copies.BackupError as error:
        raise CommandError(str(error)) from None
    echo(f"{file}: {number_of(copied.events, 'event')}, {number_of(copied.bytes, 'byte')}")


def compact(
    configuration: Annotated[Configuration, settings_options("database_path")],
) -> None:
    """Rewrite the file of the store without its free space.

    Stop the server first. The disk needs room for a second copy. A file that this or a later version has
    created, or compacted, gives free space back while a server runs; an older one keeps it for new records.
    """
    from tracker.stores.sqlite import backup as copies

    path = configuration.settings.database_path
    try:
        before, after = copies.compact(path)
    except copies.BackupError as error:
        raise CommandError(str(error)) from None
    echo(f"{path}: {before:,} bytes before, {after:,} bytes now")


def restore(
    configuration: Annotated[Configuration, settings_options("database_path")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A copy made by `tracker backup`.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an existing store, which is kept beside it.")
    ] = False,
) -> None:
    """Restore the store from the copy FILE.

    Stop the server first.
    """
    from tracker.stores.sqlite import backup as copies

    target = configuration.settings.database_path
    try:
        restored = copies.restore(file, target, force=force)
    except copies.BackupError as error:
        raise CommandError(str(error)) from None
    echo(f"{target}: {number_of(restored.events, 'event')}, {number_of(restored.bytes, 'byte')}")
    if restored.kept is not None:
        echo(f"what was there is now {restored.kept}")


def migrate(
    source: Annotated[str, typer.Option("--from", metavar="STORE", help=f"Store to move. {_PLACE}")],
    target: Annotated[
        str, typer.Option("--to", metavar="STORE", help="Its target, in the same form; must be empty.")
    ],
) -> None:
    """Move a store from a file to a MongoDB database, or back.

    Moves everything: events, catalog, links, held locks, fencing tokens, ends of locks. The source stays
    unchanged. Stop all servers on both stores first.

    After an interruption, the same command continues. No server starts on the new store before everything is
    stored and verified by counts and digests.

    Keep an address with a password out of the arguments, which every user of a machine can read:

        tracker migrate --from data/tracker.db --to env:MONGO_URI
    """
    import asyncio

    from tracker.stores.migration import migrate as move

    started = time.monotonic()
    with _filling("the same command") as progress:
        origin, destination = _contents(source, "--from"), _contents(target, "--to")
        summaries = asyncio.run(move(origin, destination, progress))
    seconds = time.monotonic() - started
    echo(f"{origin.name} is now in {destination.name}, the same by counts and digests:")
    for kind, summary in summaries.items():
        echo(f"  {summary.records:>11,} {kind:<15} {summary.digest:064x}")
    records = sum(summary.records for summary in summaries.values())
    echo(f"{number_of(records, 'record')} in {seconds:.1f} s, {records / seconds:,.0f} a second")


def demo(
    store: Annotated[
        str, typer.Argument(metavar="STORE", help=f"The store to fill, empty or missing. {_PLACE}")
    ],
    *,
    events: Annotated[int, number_option("Events.", least=1, most=100_000_000)] = 10_000,
    seed: Annotated[int, number_option("Seed of the random numbers.")] = 1,
    until: Annotated[
        datetime | None,
        moment_option("When the past ends.  [default: the last full minute]"),
    ] = None,
    days: Annotated[
        int | None,
        number_option("Days of the past.  [default: a day for 300 events]", least=1, most=3_650),
    ] = None,
) -> None:
    """Fill a store with sample events: deployments, the incidents after them, operations and drifts.

    The latest are under way, or planned for the two weeks to come.

    The same --events, --seed, --until and --days give the same events. After an interruption, the same
    command with the same --until continues.

    Example: tracker demo demo.db --events 100000 && tracker serv --database-path demo.db
    """
    import asyncio

    from tracker.demo.company import Company, days_for

    end = until or datetime.now(UTC).replace(second=0, microsecond=0)
    days = days or days_for(events)
    given = f"--events {events} --seed {seed} --until {end:%Y-%m-%dT%H:%M:%SZ} --days {days}"
    source = f"tracker demo {given}"
    place = "STORE" if "://" in store else shlex.quote(store)  # an address may have a password
    began = time.monotonic()
    with _filling(f"tracker demo {place} {given}") as progress:
        contents = _contents(store, "STORE")
        company = Company(seed)
        made = company.story(events, until=micros_of(end), days=days)
        asyncio.run(_fill(contents, source, company, made, lambda done: progress("events", done, events)))
    seconds = time.monotonic() - began
    echo(f"{contents.name} has {number_of(events, 'event')} now, {events / seconds:,.0f} a second")


async def _fill(
    contents: StoreContents,
    source: str,
    company: Company,
    events: Iterator[event_pb.Event],
    progress: Callable[[int], None],
) -> None:
    """Fill a store with events, then with the catalog after them and the locks of those under way.

    No server starts on it before everything is stored.
    """
    import asyncio

    from tracker.demo.commits import Pushes
    from tracker.demo.company import locks
    from tracker.stores.contents import BATCH_RECORDS, Kind, StoredDocument, StoredKey, StoredLock

    await contents.open_to_fill(source)
    try:
        done, pushes = 0, Pushes()
        progress(done)
        held: list[StoredKey] = []
        while batch := list(islice(events, BATCH_RECORDS)):
            held += (
                StoredKey(key, lock.fencing_token, StoredLock(lock.id, b"", lock.to_json()))
                for key, lock in locks(batch)
            )
            ids = [event.metadata.id if event.metadata else "" for event in batch]
            documents = [StoredDocument(id_, each.to_json()) for id_, each in zip(ids, batch, strict=True)]
            await contents.records(Kind.EVENTS).add(documents)
            commits = [commit for event in batch for commit in pushes.of(event)]
            if commits:
                await contents.records(Kind.COMMITS).add(commits)
            done += len(batch)
            progress(done)
            # A file is filled without waiting for anything: an interrupt would come only at the end.
            await asyncio.sleep(0)
        await contents.records(Kind.CATALOG).add(
            [StoredDocument(each.name, each.to_json()) for each in company.catalog()]
        )
        await contents.records(Kind.LOCK_KEYS).add(held)
        await contents.finish()
    finally:
        await contents.close()
