"""What is kept of idempotency keys goes when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
from tests.stores.keyed_changes import CHANGES, everything, prepare
from tests.stores.observations import Observations
from tests.stores.samples import a_link, once

from tracker.stores.idempotency import KEPT_MICROS
from tracker.stores.mongo import MongoStore, reconciler
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.mongo_servers import MongoServers


async def test_new_keys_take_those_that_are_over_away_from_a_file(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "tracker.db", Observations())
    await store.open()
    for number in range(25):
        await store.links.create(a_link("docs", "old"), once(f"old-{number}", number))
    for number in range(3):
        await store.links.create(a_link("docs", "new"), once(f"new-{number}", KEPT_MICROS + 25))
    await store.close()
    with apsw.Connection(str(tmp_path / "tracker.db")) as file:
        left = [key for (key,) in file.execute("SELECT key FROM idempotency_keys ORDER BY key")]
    file.close()
    assert left == ["new-0", "new-1", "new-2"]


async def test_the_reconciler_takes_away_what_is_over_of_keys_in_mongodb(
    mongo: MongoServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MongoStore(mongo.emptied_database(), Observations())
    await store.open()
    await prepare(store)
    for name in ("event changed", "lock changed", "link changed", "entry made", "entry deleted"):
        await CHANGES[name](store, once(name, store.now() - KEPT_MICROS * ("made" in name)))
    await CHANGES["link changed"](store, once("link changed again", store.now()))
    before = await everything(store)
    await store.reconciler.look(early=True)
    assert [each for each in mongo.documents() if each.get("outbox")] == []
    assert len([each for each in mongo.documents() if "tombstone" in each]) == 1
    monkeypatch.setattr(reconciler, "_TOMBSTONE_SECONDS", -1)
    await store.reconciler.look()
    assert await everything(store) == before
    await store.close()
    left = mongo.documents()
    assert [each for each in left if each.get("outbox") or "tombstone" in each] == []
    assert {each["_id"] for each in left if "answer" in each} == {
        "event changed",
        "lock changed",
        "link changed",
        "link changed again",
        "entry deleted",
    }
