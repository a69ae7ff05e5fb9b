"""The store of a server, as its settings have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.choice import chosen_store

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from structlog.typing import FilteringBoundLogger

    from tracker.assembly.tracing import Tracing
    from tracker.config.settings import Settings
    from tracker.stores.base import Store, StoreObserver
    from tracker.supervision import Supervisor


async def open_store(
    settings: Settings,
    observer: StoreObserver,
    tracing: Tracing,
    log: FilteringBoundLogger,
    tasks: Supervisor,
    opened: AsyncExitStack,
) -> Store:
    """Open the store.

    Raises:
        StoreOpenError: It can't be served.
    """
    store = chosen_store(
        settings.database_path,
        settings.mongo_uri,
        observer,
        tasks,
        changes_kept=settings.changes_kept,
        locks_per_owner=settings.locks_per_principal,
    )
    await store.open()
    opened.push_async_callback(store.close)
    # The address of a database may have secrets.
    place = {"path": str(settings.database_path)} if settings.mongo_uri is None else {}
    kind = "sqlite" if place else "mongodb"
    log.info("store opened", kind=kind, **place)
    tracing.observe_store(store, kind)
    return store
