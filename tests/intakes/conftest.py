"""Intakes are tested on each kind of store, with the clients of other products as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.mongo_servers import MongoServers

    from tracker.app import App


@pytest.fixture(params=["sqlite", "mongo"])
def mongo_uri(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    servers: MongoServers = request.getfixturevalue("mongo")
    return servers.emptied_database()


@pytest.fixture
def url(app: App) -> str:
    host, port = app.http_address
    return f"http://{host}:{port}"
