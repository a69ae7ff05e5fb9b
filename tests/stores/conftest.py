"""A fresh store of each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import code, section
from tests.stores.migrations import Places
from tests.stores.observations import COMMANDS, Observations

from tracker.stores.mongo import MongoStore
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.mongo_servers import MongoServers

    from tracker.stores.base import Store


@pytest.fixture
def observations() -> Observations:
    return Observations()


@pytest.fixture(scope="session")
def documented_commands() -> frozenset[str]:
    return frozenset(code(section("docs/operations.md", "### Supported databases")))


@pytest.fixture
def locks_per_owner() -> int | None:
    return None


@pytest.fixture(params=["sqlite", "mongo", "mongo-replica-set"])
async def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    observations: Observations,
    locks_per_owner: int | None,
    documented_commands: frozenset[str],
) -> AsyncIterator[Store]:
    """Give an empty store; what is sent to a MongoDB database for it must be documented."""
    if request.param == "sqlite":
        store: Store = SqliteStore(tmp_path / "tracker.db", observations, locks_per_owner=locks_per_owner)
        await store.open()
        yield store
        await store.close()
        return
    uri = request.getfixturevalue(request.param.replace("-", "_")).emptied_database()
    COMMANDS.seen.clear()
    COMMANDS.listening = True
    store = MongoStore(uri, observations, locks_per_owner=locks_per_owner)
    await store.open()
    yield store
    await store.close()
    COMMANDS.listening = False
    assert COMMANDS.seen > {"hello", "buildInfo"}
    assert COMMANDS.seen <= documented_commands


@pytest.fixture
def places(tmp_path: Path, mongo: MongoServers) -> Places:
    return Places(tmp_path, mongo)
