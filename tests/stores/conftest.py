"""A fresh store of each kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

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


@pytest.fixture(params=["sqlite"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, observations: Observations
) -> AsyncIterator[Store]:
    stores = {"sqlite": lambda: SqliteStore(tmp_path / "tracker.db", observations)}
    store: Store = stores[request.param]()
    await store.open()
    yield store
    await store.close()
