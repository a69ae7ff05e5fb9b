"""A page of events is one answer of MongoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stores.mongo import opened
from tests.stores.observations import COMMANDS
from tests.stores.samples import an_event, new_id

from tracker.domain.query.tree import EventFilter
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from tests.mongo_servers import MongoServers


async def test_a_page_takes_one_query(mongo: MongoServers) -> None:
    async with opened(mongo.emptied_database()) as store:
        await store.events.add([an_event(event_id=new_id()) for _ in range(410)])
        COMMANDS.seen.clear()
        COMMANDS.listening = True
        found = await store.events.find(EventFilter(), Page(limit=500))
        COMMANDS.listening = False
    assert len(found.records) == 410
    assert "find" in COMMANDS.seen
    assert "getMore" not in COMMANDS.seen
