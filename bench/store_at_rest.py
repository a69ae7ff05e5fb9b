"""What an open store costs a process that has nothing else: `python -m bench.store_at_rest DATABASE`."""

from __future__ import annotations

import argparse
import asyncio
import time

import psutil

from tracker.stores.sqlite import SqliteStore


class Silent:
    """Observes nothing."""

    def committed(self, seconds: float, changes: int) -> None:
        """Ignore a commit."""

    def queued(self, changes: int) -> None:
        """Ignore the queue."""


async def _main(database: str) -> None:
    before = psutil.Process().memory_info().rss
    store = SqliteStore(database, Silent())
    began = time.perf_counter()
    await store.open()
    took = time.perf_counter() - began
    after = psutil.Process().memory_info().rss
    print(f"opened in {took * 1e3:.0f} ms; resident {after / 2**20:.0f} MiB, {before / 2**20:.0f} before")
    await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", help="file, created if missing")
    asyncio.run(_main(parser.parse_args().database))
