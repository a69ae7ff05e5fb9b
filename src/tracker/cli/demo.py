"""`tracker demo`: fills a store with events to try things on."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.errors import CommandError
from tracker.cli.exits import INTERRUPTED
from tracker.cli.progress import shown_progress
from tracker.cli.stores import PLACE, Unobserved, place
from tracker.cli.times import moment_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tracker.pb import catalog_pb, event_pb
    from tracker.stores.contents import StoreContents

_BATCH = 1_000


def demo(
    store: Annotated[
        str, typer.Argument(metavar="STORE", help=f"The store to fill, empty or missing. {PLACE}")
    ],
    *,
    events: Annotated[int, typer.Option(min=1, max=100_000_000, metavar="NUMBER", help="Events.")] = 10_000,
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Seed of the random numbers.")] = 1,
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=moment_option, metavar="TIME", help="When the past ends.  [default: the last full hour]"
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=3_650, metavar="NUMBER", help="Length of the past.  [default: a day for 300 events]"
        ),
    ] = None,
) -> None:
    """Fill a store with sample events: deployments, the incidents after them, operations and drifts.

    The same --events, --seed, --until and --days give the same events. After an interruption, the same
    command with the same --until goes on.

    Example: tracker demo demo.db --events 100000 && tracker serv --database-path demo.db
    """
    import asyncio

    from tracker import demo as past
    from tracker.errors import TrackerError
    from tracker.stores.base import StoreOpenError
    from tracker.stores.choice import chosen_contents

    end = until or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    days = days or past.days_for(events)
    source = f"tracker demo --events {events} --seed {seed} --until {end:%Y-%m-%dT%H:%M:%SZ} --days {days}"
    began = time.monotonic()
    try:
        contents = chosen_contents(place(store, "STORE"), "STORE", Unobserved())
        micros = (end - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        with shown_progress() as progress:
            asyncio.run(
                _fill(
                    contents,
                    source,
                    past.catalog(seed),
                    past.events(events, seed=seed, until=micros, days=days),
                    lambda done: progress("events", done, events),
                )
            )
    except StoreOpenError as error:
        raise CommandError(str(error)) from None
    except TrackerError as error:
        raise CommandError(f"{error.message}; run the same command again, which goes on") from None
    except KeyboardInterrupt:
        typer.echo(f"tracker: interrupted; {source} goes on", err=True)
        sys.exit(INTERRUPTED)
    seconds = time.monotonic() - began
    typer.echo(f"{contents.name} has {events:,} events now, {events / seconds:,.0f} a second")


async def _fill(
    contents: StoreContents,
    source: str,
    catalog: Iterable[catalog_pb.Catalog],
    events: Iterator[event_pb.Event],
    progress: Callable[[int], None],
) -> None:
    """Fill a store; no server starts on it before everything is stored."""
    import asyncio

    from tracker.stores.contents import Kind, StoredDocument

    await contents.open_to_fill(source)
    try:
        await contents.records(Kind.CATALOG).add(
            [StoredDocument(entry.name, entry.to_json()) for entry in catalog]
        )
        done = 0
        progress(done)
        while batch := [
            StoredDocument(event.metadata.id if event.metadata else "", event.to_json())
            for event in islice(events, _BATCH)
        ]:
            await contents.records(Kind.EVENTS).add(batch)
            done += len(batch)
            progress(done)
            # A file is filled without waiting for anything: an interrupt would come only at the end.
            await asyncio.sleep(0)
        await contents.finish()
    finally:
        await contents.close()
