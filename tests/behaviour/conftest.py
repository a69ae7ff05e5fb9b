"""Every behaviour is tested on each kind of store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bson
import pytest
from tests.each_store import mongo_uri

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.mongo_servers import MongoServers

    from tracker.config.settings import Settings

__all__ = ["mongo_uri"]


@pytest.fixture
def stored(settings: Settings, request: pytest.FixtureRequest) -> Callable[[], bytes]:
    """Give a function that returns everything that the store keeps."""
    if settings.mongo_uri is None:
        return lambda: b"".join(file.read_bytes() for file in settings.database_path.parent.iterdir())
    servers: MongoServers = request.getfixturevalue("mongo")
    return lambda: b"".join(bson.encode(each) for each in servers.documents())
