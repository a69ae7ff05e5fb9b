"""Believable events to fill a store with, the same for the same number."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import uuid_utils
from bench.store_at_rest import Silent

from tracker.domain.lifecycle import new_event
from tracker.domain.times import timestamp
from tracker.pb import event_pb
from tracker.stores.sqlite import SqliteStore
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracker.stores.base import Store

_AT_ONCE = 500
_FIRST = 1_700_000_000 * MICROS
_SPACING = 30 * MICROS
NEEDLE = "needle-in-the-haystack"
"""The source of exactly one event."""


def believable(number: int) -> Iterator[event_pb.Event]:
    """Yield events of fifty services, one every thirty seconds."""
    chance = random.Random(number)
    services = [f"service-{n}" for n in range(50)]
    for n in range(number):
        at = _FIRST + n * _SPACING
        attributes = event_pb.EventAttributes(
            message=f"version 1.{n % 100}.{n % 7} rolled out by the pipeline",
            source=NEEDLE
            if n == number // 2
            else chance.choice(["github_action", "jenkins", "argo", "slack"]),
            type=chance.choice(list(event_pb.Type)[1:5]),
            priority=chance.choice(list(event_pb.Priority)[1:]),
            service=chance.choice(services),
            status=chance.choice([event_pb.Status.success, event_pb.Status.failure, event_pb.Status.done]),
            environment=chance.choice(list(event_pb.Environment)[1:]),
            owner=chance.choice(["ana", "bo", "cy"]),
            start_date=timestamp(at),
            end_date=timestamp(at + chance.randrange(600) * MICROS),
        )
        request = event_pb.CreateEventRequest(title=f"Deployment {n}", attributes=attributes)
        yield new_event(request, event_id=str(uuid_utils.uuid7()), now=at, linked=None)


async def fill(database: Path, number: int) -> tuple[str, str, float]:
    """Store events in a file; return the id of one, the source of exactly one, and the seconds that took."""
    store = SqliteStore(database, Silent())
    await store.open()
    try:
        return await fill_store(store, number)
    finally:
        await store.close()


async def fill_store(store: Store, number: int) -> tuple[str, str, float]:
    """Store events; return the id of one, the source of exactly one, and the seconds that took."""
    begun, last = time.perf_counter(), ""
    batch: list[event_pb.Event] = []
    for event in believable(number):
        batch.append(event)
        if len(batch) == _AT_ONCE:
            await asyncio.gather(*(store.events.create(e, None) for e in batch))
            batch = []
        last = event.metadata.id if event.metadata else ""
    await asyncio.gather(*(store.events.create(e, None) for e in batch))
    return last, NEEDLE, time.perf_counter() - begun
