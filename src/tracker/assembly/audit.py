"""The audit log of a server, put together from its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.config import shown
from tracker.config.settings import SETTINGS
from tracker.services.audit.recorder import AuditRecorder
from tracker.services.audit.service import AuditService
from tracker.services.audit.signing import signing_key
from tracker.services.clock_guard import ClockGuard

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from tracker.config.settings import Settings
    from tracker.services.context import Clock, Context
    from tracker.stores.audit import AuditStore
    from tracker.supervision import Supervisor


async def open_audit(
    settings: Settings,
    store: AuditStore,
    context: Context,
    clock: Clock,
    tasks: Supervisor,
    opened: AsyncExitStack,
) -> tuple[AuditRecorder, AuditService]:
    """Record the settings of this server, and begin to keep the audit log; return what others record with.

    Raises:
        SetupError: The file of the key that signs it can't be used.
    """
    file = settings.audit_key_file
    if file is None and settings.mongo_uri is None:
        file = settings.database_path.with_name(f"{settings.database_path.name}.audit-key")
    key, guard = signing_key(file), ClockGuard(clock)
    recorder = AuditRecorder(store, context, key, settings.audit_kept_days, guard)
    values = {each.variable: shown(settings, each) for each in SETTINGS.values()}
    await recorder.record_settings(values | {"audit key": recorder.public_key})
    opened.push_async_callback(recorder.close)
    tasks.repeat("audit", recorder.keep)
    opened.push_async_callback(tasks.stop, "audit")
    return recorder, AuditService(store, recorder, context)
