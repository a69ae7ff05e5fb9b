"""A program that fills a store from many callers at once and prints a line for each write acknowledged.

`python -m tests.faults.writer DATABASE [SYNCHRONOUS]`
"""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop
from tests.stores.observations import Observations
from tests.stores.samples import a_lock, an_entry, an_event, new_id

from tracker.domain.locks import HeldLock
from tracker.stores.sqlite import SqliteStore, opening

CALLERS = 16


def tell(line: str) -> None:
    """Print a line at once: what waits in a buffer would die with the process."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def fill(store: SqliteStore) -> None:
    while True:
        event_id = new_id()
        await store.events.create(an_event(event_id=event_id), None)
        tell(f"event {event_id}")
        lock = a_lock(event_id, event_id=event_id)
        await store.locks.acquire(HeldLock(lock), an_entry("locked"))
        tell(f"lock {event_id} {lock.id}")


async def main(database: str) -> None:
    store = SqliteStore(database, Observations())
    await store.open()
    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(fill(store))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        setattr(opening, "SYNCHRONOUS", sys.argv[2])  # noqa: B010 - a constant of the product
    uvloop.run(main(sys.argv[1]))
