"""What makes tests run on each kind of store; a conftest that imports it does so for its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.mongo_servers import MongoServers


@pytest.fixture(params=["sqlite", "mongo"])
def mongo_uri(request: pytest.FixtureRequest) -> str | None:
    """Give the address of an empty MongoDB database, or None for the embedded store."""
    if request.param == "sqlite":
        return None
    servers: MongoServers = request.getfixturevalue("mongo")
    return servers.emptied_database()
