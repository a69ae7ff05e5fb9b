"""A fresh store of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tracker.stores.mongo import MongoStore
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tracker.stores.base import Store


@dataclass
class Observations:
    """What a store told of its work."""

    commits: list[int] = field(default_factory=list)
    most_queued: int = 0

    def committed(self, seconds: float, changes: int) -> None:
        assert seconds > 0
        self.commits.append(changes)

    def queued(self, changes: int) -> None:
        self.most_queued = max(self.most_queued, changes)


@pytest.fixture
def observations() -> Observations:
    return Observations()


@pytest.fixture(params=["sqlite", "mongo", "mongo-replica-set"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, observations: Observations
) -> AsyncIterator[Store]:
    store: Store
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "tracker.db", observations)
    else:
        servers = request.getfixturevalue(request.param.replace("-", "_"))
        store = MongoStore(servers.emptied_database(), observations)
    await store.open()
    yield store
    await store.close()
