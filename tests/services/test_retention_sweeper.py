"""A policy whose query can't be answered for a long period at once, and one whose run is interrupted."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from protobuf.wkt import Duration
from tests.patience import PATIENCE
from tests.stores.samples import an_event

from tracker.domain.events import event_id
from tracker.domain.times import timestamp
from tracker.errors import TrackerError
from tracker.pb import event_pb, retention_pb
from tracker.services.holds import LegalHolds
from tracker.services.retention.run_note import RunNote
from tracker.services.retention.sweeper import RetentionSweeper
from tracker.stores.events import searched_too_long
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from tracker.domain.query.tree import EventFilter
    from tracker.services.context import Context
    from tracker.stores.base import Store
    from tracker.stores.pages import Found, Page

DAY = 86_400 * MICROS
POLICY = retention_pb.RetentionPolicy(
    id="0199f0c2", name="old", query="service:shop", keep_for=Duration(seconds=86_400)
)


class SlowEvents:
    """The events of a store that answers queries for a service only where their period is short enough."""

    def __init__(self, store: Store, most: int) -> None:
        self.age_out = store.events.age_out
        self._find = store.events.find
        self._most = most

    async def find(self, where: EventFilter, page: Page, **asked: Any) -> Found[event_pb.Event]:
        since = 0 if page.after is None else int(page.after[0])
        if where.until is not None and where.until - since > self._most:
            raise searched_too_long()
        return await self._find(where, page, **asked)


class Deleted:
    """Counts what is deleted."""

    events = 0

    def events_aged_out(self, policy: str, events: int) -> None:
        assert policy == "old"
        self.events += events


def sweeper(
    store: Store, context: Context, most: int, deleted: Deleted, rate: float = 1_000_000
) -> RetentionSweeper:
    holds, events = LegalHolds(store.holds, context), SlowEvents(store, most)
    return RetentionSweeper(events, holds, None, context, deleted, rate)  # type: ignore[arg-type] # what is used


async def test_a_long_period_is_searched_in_parts(store: Store, context: Context) -> None:
    events = [
        an_event(
            f"{day}", attributes=event_pb.EventAttributes(service="shop", start_date=timestamp(day * DAY))
        )
        for day in (1, 2, 900, 5_000, 17_000)
    ]
    await store.events.add(events)
    deleted = Deleted()
    sweeping, after = sweeper(store, context, 3_000 * DAY, deleted), None
    note = RunNote(store.policies, POLICY.id, context)
    for _ in range(40):
        swept = await sweeping.sweep(POLICY, after, 100, note)
        after = swept.next
        if after is None:
            break
    assert after is None
    assert deleted.events == len({event_id(event) for event in events}) == 5


async def test_a_query_that_takes_too_long_for_any_period_is_an_error(store: Store, context: Context) -> None:
    note = RunNote(store.policies, POLICY.id, context)
    with pytest.raises(TrackerError, match="searched events for"):
        await sweeper(store, context, 0, Deleted()).sweep(POLICY, None, 100, note)


async def noted(store: Store) -> int:
    policy = await store.policies.get(POLICY.id)
    assert policy is not None
    return 0 if policy.last_run is None else policy.last_run.deleted


async def test_what_was_deleted_is_noted_while_a_run_goes_on_and_when_it_is_interrupted(
    store: Store, context: Context
) -> None:
    attributes = event_pb.EventAttributes(service="shop", start_date=timestamp(DAY))
    await store.events.add([an_event(f"{number}", attributes=attributes) for number in range(170)])
    await store.policies.create(POLICY)
    deleted = Deleted()
    sweeping = sweeper(store, context, 30_000 * DAY, deleted, rate=250)

    async def run(*, goes_on: bool, most: int) -> None:
        async with RunNote(store.policies, POLICY.id, context, goes_on=goes_on) as note:
            await sweeping.sweep(POLICY, None, most, note)

    running = asyncio.create_task(run(goes_on=False, most=170))
    async with asyncio.timeout(PATIENCE):
        while deleted.events < 100:
            await asyncio.sleep(0.01)
    assert await noted(store) == 50
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert await noted(store) == deleted.events == 100
    await run(goes_on=True, most=20)
    assert await noted(store) == 120
    await run(goes_on=False, most=50)
    assert await noted(store) == 50
