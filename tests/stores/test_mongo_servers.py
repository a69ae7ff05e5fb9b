"""Which servers a store can be kept on, decided on what they answer to `buildInfo` and `hello`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tracker.stores.base import StoreOpenError
from tracker.stores.mongo.opening import is_replicated, require_suitable

if TYPE_CHECKING:
    from tests.mongo_servers import MongoServers

PRIMARY = {"isWritablePrimary": True, "setName": "main", "maxWireVersion": 21}
ALONE = {"isWritablePrimary": True, "maxWireVersion": 21}
MONGOS = {"isWritablePrimary": True, "msg": "isdbgrid", "maxWireVersion": 21}
SECONDARY = {"isWritablePrimary": False, "secondary": True, "setName": "main", "maxWireVersion": 21}

FERRETDB_1 = {
    "version": "7.0.42",
    "gitVersion": "b8a3d5e2f0c64e8ca0b5e7d1c9a4b2f3e6d7a890",
    "versionArray": [7, 0, 42, 0],
    "bits": 64,
    "maxBsonObjectSize": 16777216,
    "ferretdbVersion": "v1.24.2",
    "ferretdbFeatures": {"aggregationStages": ["$match", "$group"]},
}
FERRETDB_2 = {
    "version": "7.0.77",
    "gitVersion": "5c1f6e0d8b724ad39d0e1c7fa2b39584d6e7c012",
    "versionArray": [7, 0, 77, 0],
    "bits": 64,
    "maxBsonObjectSize": 16777216,
    "ferretdb": {"version": "v2.7.0", "package": "docker"},
}


def mongodb(version: str) -> dict[str, Any]:
    return {"version": version, "bits": 64, "maxBsonObjectSize": 16777216, "storageEngines": ["wiredTiger"]}


@pytest.mark.parametrize(
    ("build", "hello", "replicated"),
    [
        (mongodb("5.0.0"), PRIMARY, True),
        (mongodb("8.2.1-rc0"), PRIMARY, True),
        (mongodb("10.0.0"), MONGOS, True),
        (mongodb("6.0.5"), ALONE, False),
        (FERRETDB_2, ALONE, False),
        (FERRETDB_2, PRIMARY, False),
        (FERRETDB_2 | {"ferretdb": {"version": "v10.0.0-beta1"}}, ALONE, False),
    ],
)
def test_a_server_that_can_be_used_is_taken(
    build: dict[str, Any],
    hello: dict[str, Any],
    replicated: bool,
) -> None:
    require_suitable(build, hello)
    assert is_replicated(build, hello) is replicated


@pytest.mark.parametrize(
    ("build", "hello", "said"),
    [
        (FERRETDB_1, ALONE, "it is FerretDB 1.24.2, whose updates are not atomic"),
        (FERRETDB_1 | {"ferretdbVersion": "unknown"}, ALONE, "it is FerretDB unknown"),
        (FERRETDB_2 | {"ferretdb": {"version": "v1.99.0"}}, ALONE, "it is FerretDB 1.99.0"),
        (mongodb("4.4.29"), PRIMARY, "it is MongoDB 4.4.29; use 5.0 or later"),
        (mongodb("6.0.5"), SECONDARY, "leave directConnection out of its address"),
    ],
)
def test_a_server_that_cannot_be_used_is_refused(
    build: dict[str, Any], hello: dict[str, Any], said: str
) -> None:
    with pytest.raises(StoreOpenError) as refused:
        require_suitable(build, hello)
    assert said in str(refused.value)


def test_a_real_server_answers_what_is_asked_for(
    mongo: MongoServers, mongo_replica_set: MongoServers
) -> None:
    for servers, replicated in ((mongo, False), (mongo_replica_set, True)):
        primary = servers.primary()
        assert primary is not None
        build, hello = primary.command("buildInfo"), primary.command("hello")
        require_suitable(build, hello)
        assert is_replicated(build, hello) is replicated
