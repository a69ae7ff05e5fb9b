"""A clock that is set far ahead while a server runs: nothing is deleted for its age."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from protobuf.wkt import Duration
from tests.stores.samples import an_event

from tracker.domain.query.tree import EventFilter
from tracker.domain.times import timestamp
from tracker.errors import SetupError
from tracker.pb import event_pb, retention_pb
from tracker.services.audit.recorder import AuditRecorder
from tracker.services.audit.signing import signing_key
from tracker.services.clock_guard import ClockGuard
from tracker.services.context import SystemClock
from tracker.services.holds import LegalHolds
from tracker.services.retention.keeper import RetentionKeeper
from tracker.services.retention.sweeper import RetentionSweeper
from tracker.services.retention.turn import ServerTurn
from tracker.stores.audit import AuditFilter
from tracker.stores.pages import Page
from tracker.telemetry.metrics import Metrics
from tracker.time_text import DAY

if TYPE_CHECKING:
    from tracker.services.context import Context
    from tracker.stores.base import Store


class Clock(SystemClock):
    """A clock that can be set ahead."""

    def __init__(self, store: Store) -> None:
        super().__init__(lambda: store.now() + self.ahead)
        self.ahead = 0


async def test_policies_and_the_audit_log_delete_nothing_until_the_server_is_restarted(
    store: Store, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.services.audit.recorder._KEEP_SECONDS", 0)
    clock = Clock(store)
    context = replace(context, now=clock.now)
    attributes = event_pb.EventAttributes(service="shop", start_date=timestamp(clock.now() - 2 * DAY))
    await store.events.add([an_event("young", attributes=attributes)])
    await store.policies.create(
        retention_pb.RetentionPolicy(id="p", name="old", keep_for=Duration(seconds=30 * 86_400), active=True)
    )
    holds = LegalHolds(store.holds, context)
    sweeper = RetentionSweeper(
        store.events, holds, None, context, Metrics(max_services=1).retention, 1_000_000
    )
    turn = ServerTurn("retention", store.consumers, "server", clock)

    def started() -> tuple[RetentionKeeper, AuditRecorder]:
        guard = ClockGuard(clock)
        return (
            RetentionKeeper(store.policies, sweeper, turn, guard, context, every=0, rate=1_000_000),
            AuditRecorder(store.audit, context, signing_key(None), 20, guard),
        )

    async def kept() -> tuple[int, int]:
        await store.check()  # ends the snapshot from before
        events, entries = (
            await store.events.find(EventFilter(), Page()),
            await store.audit.read(AuditFilter(), 100),
        )
        return len(events.records), min((each.number for each in entries.entries), default=0)

    keeper, recorder = started()
    for name in ("one", "two"):  # pruned is what a checkpoint follows
        await recorder.record("settings", name, {})
        await recorder.checkpoint()
    for ahead in (0, -40 * DAY):
        clock.ahead = ahead
        await keeper.keep()
        await recorder.keep()
    clock.ahead = 40 * DAY
    for work in (keeper.keep, recorder.keep):
        with pytest.raises(SetupError, match="the clock was set 40 days ahead while the server ran"):
            await work()
    assert await kept() == (1, 1)
    keeper, recorder = started()
    await keeper.keep()
    await recorder.keep()
    events, first = await kept()
    assert events == 0
    assert first > 1
