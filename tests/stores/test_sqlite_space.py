"""The space of deleted events goes back to the file system while the store is open."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.patience import PATIENCE
from tests.stores.observations import Observations

from tracker.domain.query.tree import EventFilter
from tracker.pb import event_pb
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_file_shrinks_after_events_were_deleted(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    store = SqliteStore(path, Observations(), changes_kept=100)
    await store.open()
    try:
        events = [
            event_pb.Event(
                title="large",
                attributes=event_pb.EventAttributes(message="x" * 20_000, service="shop"),
                metadata=event_pb.EventMetadata(id=f"{number:08}"),
            )
            for number in range(600)
        ]
        await store.events.add(events)
        found = await store.events.find(EventFilter(), Page())
        assert len(await store.events.age_out(found.records, "a test")) == len(events)
        async with asyncio.timeout(PATIENCE):
            while path.stat().st_size > 8 * 2**20:
                await store.check()
                await asyncio.sleep(0.05)
    finally:
        await store.close()
