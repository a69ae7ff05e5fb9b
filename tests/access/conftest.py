"""Access is tested on each kind of store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.mongo_servers import MongoServers


@pytest.fixture(params=["sqlite", "mongo"])
def mongo_uri(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    servers: MongoServers = request.getfixturevalue("mongo")
    return servers.emptied_database()
