"""The retention of a server, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tracker.services.clock_guard import ClockGuard
from tracker.services.holds import LegalHolds
from tracker.services.retention.erasure import PersonEraser
from tracker.services.retention.exports import EventExports
from tracker.services.retention.keeper import RetentionKeeper
from tracker.services.retention.service import RetentionService
from tracker.services.retention.sweeper import RetentionSweeper
from tracker.services.retention.turn import ServerTurn

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from tracker.config.settings import Settings
    from tracker.services.audit.service import AuditService
    from tracker.services.context import Clock, Context
    from tracker.services.retention.sweeper import RetentionObserver
    from tracker.stores.base import Store
    from tracker.supervision import Supervisor


class Retention(NamedTuple):
    """The legal holds of a server, and the service that answers for them."""

    holds: LegalHolds
    service: RetentionService


def open_retention(
    settings: Settings,
    store: Store,
    audit: AuditService,
    context: Context,
    clock: Clock,
    observer: RetentionObserver,
    tasks: Supervisor,
    opened: AsyncExitStack,
) -> Retention:
    """Begin to delete what is due."""
    holds, folder = LegalHolds(store.holds, context), settings.retention_export_dir
    exports = None if folder is None else EventExports(folder, store.events, context.new_id)
    rate = settings.retention_rate
    sweeper = RetentionSweeper(store.events, holds, exports, context, observer, rate)
    turn = ServerTurn("retention", store.consumers, context.new_id(), clock)
    keeper = RetentionKeeper(
        store.policies, sweeper, turn, ClockGuard(clock), context, every=settings.retention_every, rate=rate
    )
    opened.push_async_callback(turn.let_go)
    tasks.repeat("retention", keeper.keep)
    opened.push_async_callback(tasks.stop, "retention")
    eraser = PersonEraser(store, holds, audit)
    return Retention(holds, RetentionService(store, holds, sweeper, eraser, context))
