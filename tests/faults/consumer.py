"""A server with a consumer of changes, which prints a line for each change of an event that it has handled.

`python -m tests.faults.consumer DATABASE [MONGO_URI]`

Its clock runs twenty times as fast: leases end while a test waits for it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
import uvloop

from tracker.app import App
from tracker.config.settings import Settings
from tracker.pb import event_pb
from tracker.services.consumers import Consumer
from tracker.services.context import SystemClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.stores.changes import Change

_SPEED = 20


class FastClock(SystemClock):
    """A clock on which time flies."""

    def elapsed(self) -> float:
        return super().elapsed() * _SPEED

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / _SPEED)


def tell(line: str) -> None:
    """Print a line at once: what waits in a buffer would die with the process."""
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


async def handle(changes: Sequence[Change]) -> None:
    for change in changes:
        if isinstance(change.after, event_pb.Event):
            tell(f"{change.principal} {change.after.title}")


async def main(database: str, mongo_uri: str | None = None) -> None:
    settings = Settings(
        host="127.0.0.1",
        grpc_port=0,
        http_port=0,
        metrics_port=0,
        database_path=Path(database),
        mongo_uri=mongo_uri,
    )
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log, FastClock, [Consumer("printer", handle, 5)]) as app:
        tell(f"{app.http_address[1]} {app.metrics_address[1]}")
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
