from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import an_event, new_id

from tracker.domain.events import EventId
from tracker.domain.query.tree import EventFilter
from tracker.errors import Code, TrackerError
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from tests.stores.observations import Observations

    from tracker.stores.base import Store


async def test_a_store_that_works_passes_its_check(store: Store) -> None:
    await store.check()


async def test_closing_finishes_the_changes_under_way(store: Store) -> None:
    calls = [asyncio.ensure_future(store.events.create(an_event(), None)) for _ in range(50)]
    await asyncio.sleep(0)
    await store.close()
    assert await asyncio.gather(*calls) == [None] * 50


async def test_a_closed_store_answers_unavailable(store: Store) -> None:
    await store.close()
    calls = (
        store.check(),
        store.events.create(an_event(), None),
        store.events.get(EventId(new_id())),
        store.events.find(EventFilter(), Page()),
        store.links.find(),
    )
    for call in calls:
        with pytest.raises(TrackerError) as refused:
            await call
        assert (refused.value.code, refused.value.reason) == (Code.UNAVAILABLE, "STORE_UNAVAILABLE")


async def test_a_store_tells_of_every_change_it_commits(store: Store, observations: Observations) -> None:
    await asyncio.gather(*(store.events.create(an_event(), None) for _ in range(100)))
    assert sum(observations.commits) == 100
    assert observations.most_queued > 1
