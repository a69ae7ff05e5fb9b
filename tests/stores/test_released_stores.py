"""Stores that servers of earlier versions of the schema have made are upgraded with all that is in them.

`python -m tools.released_store` made them.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import apsw
import pytest
from bson import json_util
from pymongo import MongoClient
from tests.stores.observations import Observations
from tools.released_store import schema_digest

from tracker.audit.verification import Verification
from tracker.domain.locks import LockFilter
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.stores.audit import AuditFilter
from tracker.stores.mongo import MongoStore
from tracker.stores.pages import Page
from tracker.stores.sqlite import SqliteStore, migrations
from tracker.time_text import Clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.mongo_servers import MongoServers

    from tracker.stores.base import Store

FOLDER = Path(__file__).with_name("released")
FILES, DATABASES = (sorted(each.stem for each in FOLDER.glob(f"*.{kind}")) for kind in ("sql", "ndjson"))
CLOCK = Clock(0, ZoneInfo("UTC"))
TITLES = ["Checkout is down", "Deploy shop-api 1.0", "Deploy shop-api 1.1", "Rotate certificates"]


def make_file(version: str, path: Path) -> None:
    first, _, rows = (FOLDER / f"{version}.sql").read_text("utf-8").partition("\n")
    db = apsw.Connection(str(path))
    for name in ("with_elapsed", "unique_name"):
        db.create_scalar_function(name, lambda *values: values[0], 1)
    for number, sql in migrations.steps().items():
        if number <= int(version):
            db.execute(f"{sql}; PRAGMA user_version = {number}")
    assert first == f"-- schema {schema_digest(db)}", "a step of a released schema was changed"
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)  # the rows have what triggers did
    db.execute(f"BEGIN; {rows}; COMMIT")
    db.close()


def make_database(version: str, uri: str) -> None:
    with MongoClient[dict[str, object]](uri) as client:
        for line in (FOLDER / f"{version}.ndjson").read_text("utf-8").splitlines():
            stored = json_util.loads(line)
            client.get_default_database()[stored["in"]].insert_one(stored["document"])


@asynccontextmanager
async def opened(store: Store) -> AsyncIterator[Store]:
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def require_whole(store: Store) -> None:
    """Require all that a server of every version was given."""
    listed = (await store.events.find(EventFilter(), Page())).records
    assert sorted(event.title for event in listed) == TITLES
    (deployed,) = (event for event in listed if event.title == "Deploy shop-api 1.0")
    assert any(entry.comment == "looks good" for entry in deployed.changelog)
    for query, title in (
        ("service:shop-api type:operation", "Rotate certificates"),
        ("owner:alice status:success", "Deploy shop-api 1.0"),
        ("duration:30m..31m", "Rotate certificates"),
        ("has:related", "Checkout is down"),
        ("certificates", "Rotate certificates"),
    ):
        found = await store.events.find(EventFilter(parse(query, CLOCK)), Page())
        assert ([event.title for event in found.records], found.total) == ([title], 1), query
    locks = (await store.locks.find(LockFilter(), Page())).records
    assert sorted(lock.service for lock in locks) == ["shop-api", "shop-db"]
    assert [entry.name for entry in (await store.catalog.find(Page())).records] == ["shop-api"]
    assert [link.name for link in await store.links.find()] == ["Dashboard"]
    verification = Verification()
    for entry in (await store.audit.read(AuditFilter(), 1_000)).entries:
        verification.add(entry)
    assert verification.problems == []


@pytest.mark.parametrize("version", FILES)
async def test_a_file_of_every_released_schema_is_upgraded(version: str, tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    make_file(version, path)
    async with opened(SqliteStore(path, Observations())) as store:
        await require_whole(store)
    with apsw.Connection(str(path)) as db:
        assert db.pragma("user_version") == max(migrations.steps())
        assert db.pragma("integrity_check") == "ok"


@pytest.mark.parametrize("version", DATABASES)
async def test_a_database_of_every_released_schema_is_upgraded(version: str, mongo: MongoServers) -> None:
    uri = mongo.new_database()
    make_database(version, uri)
    async with opened(MongoStore(uri, Observations())) as store:
        await require_whole(store)
