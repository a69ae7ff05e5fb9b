"""How fast the embedded store is, beside what its disk can do.

    python -m bench.store [--events 100000] [--seconds 2]

Each figure stands beside its ratio to the bare commit rate: one row a commit, synced, and nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import uuid_utils
import uvloop
from bench.api import bare_commit_rate
from bench.events import believable, fill
from bench.store_at_rest import Silent

from tracker.domain.events import EventId
from tracker.domain.locks import Ending, HeldLock, Release, begin_lease
from tracker.domain.query import fields
from tracker.domain.query.tree import EventFilter, one_of
from tracker.domain.times import duration, timestamp
from tracker.pb import event_pb, lock_pb
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from protobuf.wkt import Duration

_NEW_EVENTS = 100_000
_SERVICES = 10_000
"""Locks are for as many services: their keys are remembered."""


class Meter:
    """Runs calls for a while and prints how many there were and how long they took."""

    def __init__(self, seconds: float, bare: float) -> None:
        self._seconds = seconds
        self._bare = bare

    async def run(self, name: str, call: Callable[[], Awaitable[object]], *, callers: int = 1) -> None:
        """Repeat one call from a number of callers at once."""
        took: list[float] = []
        end = time.perf_counter() + self._seconds

        async def repeat() -> None:
            while (began := time.perf_counter()) < end:
                await call()
                took.append(time.perf_counter() - began)

        await asyncio.gather(*(repeat() for _ in range(callers)))
        took.sort()
        rate = len(took) / self._seconds
        p50, p99 = (took[int(len(took) * share)] * 1e3 for share in (0.5, 0.99))
        print(
            f"{name:34}{callers:4} callers{rate:10,.0f}/s{rate / self._bare:8.2f} x bare"
            f"   p50{p50:8.3f} ms   p99{p99:8.3f} ms"
        )


async def _measure(database: Path, meter: Meter, known: str, needle: str) -> None:
    store = SqliteStore(database, Silent())
    await store.open()
    behind = (await store.events.find(EventFilter(), Page(100))).next
    new_events = iter(list(believable(_NEW_EVENTS)))  # made now: making one takes longer than storing it
    numbers = count()

    async def create() -> None:
        event = next(new_events)
        await store.events.create(event, None)

    async def lock_and_unlock(lease: Duration | None = None) -> None:
        lock = lock_pb.Lock(
            id=str(uuid_utils.uuid7()),
            service=f"service-{next(numbers) % _SERVICES}",
            environment="production",
            who="bo",
            created_at=timestamp(0),
        )
        token_hash = secrets.token_bytes(32) if lease else b""
        await store.locks.acquire(HeldLock(begin_lease(lock, 0, lease), token_hash), None)
        await store.locks.release(lock.id, lambda _: Release(Ending.RELEASED, 0))

    pages = {
        "page of 100": (EventFilter(), Page(100)),
        "page of 100 behind a cursor": (EventFilter(), Page(100, after=behind)),
        "page of 100 of one service": (EventFilter(one_of(fields.SERVICE, ["service-7"])), Page(100)),
        "page of 100 of one status": (
            EventFilter(one_of(fields.STATUS, [event_pb.Status.failure])),
            Page(100),
        ),
        "search that finds one": (EventFilter(one_of(fields.SOURCE, [needle])), Page(10_000)),
    }
    await meter.run("get", lambda: store.events.get(EventId(known)))
    for name, (where, part) in pages.items():
        await meter.run(name, lambda where=where, part=part: store.events.find(where, part))  # type: ignore[misc] # the defaults bind the loop's values
    for callers in (1, 16, 64):
        await meter.run("create", create, callers=callers)
    for callers in (1, 16):
        await meter.run("lock and unlock", lock_and_unlock, callers=callers)
    for callers in (1, 16):
        await meter.run(
            "the same with a lease and a token", lambda: lock_and_unlock(duration(MICROS)), callers=callers
        )
    await store.close()


def main() -> None:
    """Fill a store, then measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "tracker.db"
        known, needle, seconds = uvloop.run(fill(database, options.events))
        bare = bare_commit_rate(Path(folder), options.seconds)
        print(f"filled with {options.events:,} events at {options.events / seconds:,.0f}/s")
        subprocess.run([sys.executable, "-m", "bench.store_at_rest", database], check=True)
        print(f"bare commits of one row: {bare:,.0f}/s")
        uvloop.run(_measure(database, Meter(options.seconds, bare), known, needle))


if __name__ == "__main__":
    main()
