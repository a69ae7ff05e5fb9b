"""How a MongoDB database is opened: by several servers at once, and not when it can't be served."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
from tests.patience import PATIENCE
from tests.stores.mongo import opened
from tests.stores.observations import Observations
from tests.stores.samples import a_user, an_event

from tracker.domain.query.tree import EventFilter
from tracker.stores import choice
from tracker.stores.access import NameTakenError
from tracker.stores.base import StoreOpenError
from tracker.stores.mongo import MongoStore
from tracker.stores.mongo.schema import INDEXES
from tracker.stores.mongo.upgrades import VERSION

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mongo_servers import MongoServers


async def refusal(uri: str) -> str:
    store = MongoStore(uri, Observations())
    with pytest.raises(StoreOpenError) as refused:
        await store.open()
    await store.close()
    return str(refused.value)


@pytest.mark.parametrize("kind", ["mongo", "mongo_replica_set"])
async def test_several_servers_make_the_schema_at_once(request: pytest.FixtureRequest, kind: str) -> None:
    servers: MongoServers = request.getfixturevalue(kind)
    uri = servers.new_database()
    stores = [MongoStore(uri, Observations()) for _ in range(5)]
    await asyncio.gather(*(store.open() for store in stores))
    await asyncio.gather(*(store.events.create(an_event(), None) for store in stores))
    assert await stores[0].events.count(EventFilter()) == 5
    for store in stores:
        await store.check()
        await store.close()
    primary = servers.primary()
    assert primary is not None
    database = primary.client.get_default_database(uri.rpartition("/")[2].partition("?")[0])
    for name, indexes in INDEXES.items():
        made = {index["name"] for index in database[name].list_indexes()} - {"_id_"}
        assert made == {index.document["name"] for index in indexes}


async def test_a_store_is_as_it_was_when_it_is_opened_again(mongo: MongoServers) -> None:
    uri = mongo.new_database()
    async with opened(uri) as store:
        await store.events.create(an_event(), None)
    async with opened(uri) as store:
        assert await store.events.count(EventFilter()) == 1


async def test_of_users_that_share_a_name_the_first_keeps_it(mongo: MongoServers) -> None:
    uri = mongo.new_database()
    async with opened(uri) as store:
        await store.access.modify("user:1", lambda _: a_user("Ada", "1"))
        await store.access.modify("user:2", lambda _: a_user("bob", "2"))
    records = mongo.members[0].client.get_database(uri.rpartition("/")[2])["access"]
    document = a_user("ada", "2").record.to_json()
    records.update_many({}, {"$unset": {"name": 1}})
    records.update_one({"_id": "user:2"}, {"$set": {"document": document}})
    async with opened(uri) as store:
        await store.access.modify("user:2", lambda _: a_user("ada", "2"))
        with pytest.raises(NameTakenError):
            await store.access.modify("user:3", lambda _: a_user("ADA", "3"))


async def test_a_newer_schema_is_refused(mongo: MongoServers) -> None:
    uri = mongo.new_database()
    async with opened(uri):
        pass
    meta = mongo.members[0].client.get_database(uri.rpartition("/")[2])["tracker"]
    meta.update_one({"_id": "schema"}, {"$set": {"version": VERSION + 1}})
    message = await refusal(uri)
    assert f"its schema has version {VERSION + 1}" in message
    assert "start the newer Tracker" in message


async def test_a_database_of_no_name_is_that_of_tracker(mongo: MongoServers) -> None:
    client = mongo.members[0].client
    client.drop_database("tracker")
    async with opened(f"mongodb://{mongo.members[0].address}") as store:
        await store.events.create(an_event(), None)
    assert client.get_database("tracker")["events"].count_documents({}) == 1


async def test_options_of_the_address_cannot_weaken_what_the_store_depends_on(
    mongo_replica_set: MongoServers,
) -> None:
    uri = (
        mongo_replica_set.emptied_database() + "&w=1&journal=false&readPreference=secondary&retryWrites=true"
    )
    async with opened(uri) as store:
        for number in range(20):
            event = an_event(str(number))
            await store.events.create(event, None)
            assert await store.events.count(EventFilter()) == number + 1


async def test_a_member_that_takes_no_changes_is_refused(mongo_replica_set: MongoServers) -> None:
    primary = mongo_replica_set.primary()
    secondary = next(member for member in mongo_replica_set.members if member is not primary)
    message = await refusal(
        f"mongodb://{secondary.address}/?directConnection=true&serverSelectionTimeoutMS=500"
    )
    assert "MONGO_URI" in message


async def test_without_the_driver_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymongo", None)
    for name in [name for name in sys.modules if name.startswith("tracker.stores.mongo")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(StoreOpenError, match=r"-m pip install '(.*)'"):
        choice.chosen_store(tmp_path / "tracker.db", "mongodb://127.0.0.1", Observations())


async def test_a_store_closes_whatever_the_reconciler_is_doing(
    mongo: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.stores.mongo.store.LOOK_SECONDS", 0.0)
    uri = mongo.emptied_database()
    for checks in range(30):
        store = MongoStore(uri, Observations())
        await store.open()
        for _ in range(checks):
            await store.check()
        async with asyncio.timeout(PATIENCE):
            await store.close()
