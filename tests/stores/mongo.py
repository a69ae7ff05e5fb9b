"""Stores on MongoDB that a test opens itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.stores.observations import Observations

from tracker.stores.mongo import MongoStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def opened(uri: str) -> AsyncIterator[MongoStore]:
    store = MongoStore(uri, Observations())
    await store.open()
    yield store
    await store.close()
