"""Every behaviour is tested on each kind of store, on MongoDB over one wire: the wires know no store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bson
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.mongo_servers import MongoServers

    from tracker.config.settings import Settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = [item for item in items if not _is_twice_the_same(item)]


def _is_twice_the_same(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec is not None else {}
    return params.get("mongo_uri") == "mongo" and params.get("client") == "rest"


@pytest.fixture(params=["sqlite", "mongo"])
def mongo_uri(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    servers: MongoServers = request.getfixturevalue("mongo")
    return servers.emptied_database()


@pytest.fixture
def stored(settings: Settings, request: pytest.FixtureRequest) -> Callable[[], bytes]:
    """Give a function that returns everything that the store keeps."""
    if settings.mongo_uri is None:
        return lambda: b"".join(file.read_bytes() for file in settings.database_path.parent.iterdir())
    servers: MongoServers = request.getfixturevalue("mongo")
    return lambda: b"".join(bson.encode(each) for each in servers.documents())
