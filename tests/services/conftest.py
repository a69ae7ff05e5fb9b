"""The parts of the services that need no wire, on a real store."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import structlog
from prometheus_client import CollectorRegistry
from tests.stores.observations import Observations
from tests.stores.samples import new_id

from tracker.services.context import Context
from tracker.services.locks.leases import LeaseKeeper
from tracker.services.locks.queue import LockQueue
from tracker.services.locks.reporter import LockReporter
from tracker.stores.sqlite import SqliteStore
from tracker.supervision import Supervisor
from tracker.telemetry.metrics import LockMetrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.clocks import StoppedClock

    from tracker.stores.base import Store


@pytest.fixture
def observations() -> Observations:
    return Observations()


@pytest.fixture
async def store(tmp_path: Path, observations: Observations) -> AsyncIterator[Store]:
    store = SqliteStore(tmp_path / "tracker.db", observations)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def context(store: Store) -> Context:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    return Context(store.now, new_id, log, ZoneInfo("UTC"))


@pytest.fixture
def metrics() -> LockMetrics:
    return LockMetrics(CollectorRegistry())


@pytest.fixture
def queue(store: Store, context: Context, metrics: LockMetrics) -> LockQueue:
    return LockQueue(store.locks, context, metrics, Supervisor(context.log))


@pytest.fixture
def keeper(
    store: Store, context: Context, metrics: LockMetrics, queue: LockQueue, clock: StoppedClock
) -> LeaseKeeper:
    reporter = LockReporter(context, metrics, queue.freed)
    return LeaseKeeper(store.locks, context, reporter, metrics, clock)
