from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import a_team, a_user, an_api_key

from tracker.errors import Reason, TrackerError
from tracker.pb import access_pb
from tracker.stores.access import NameTakenError, StoredAccess
from tracker.stores.changes import ChangeKind, RecordKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.stores.base import Store


async def test_a_record_is_read_as_it_was_stored_last(store: Store) -> None:
    first, other, changed = (
        an_api_key("first"),
        an_api_key("other", "apikey:2"),
        an_api_key("changed", secret_hash=b"2"),
    )
    await store.access.modify("apikey:2", lambda _: other)
    await store.access.modify("apikey:1", lambda _: first)
    before: list[StoredAccess | None] = []

    def change(stored: StoredAccess | None) -> StoredAccess:
        before.append(stored)
        return changed

    assert await store.access.modify("apikey:1", change) == changed
    assert before[-1] == first
    assert await store.access.find() == [changed, other]


async def test_only_what_has_changed_since_a_time_is_found(store: Store) -> None:
    await store.access.modify("apikey:1", lambda _: an_api_key("first"))
    since = store.now() + 1
    while store.now() <= since:
        pass
    await store.access.modify("apikey:2", lambda _: an_api_key("second", "apikey:2"))
    assert await store.access.find(since) == [an_api_key("second", "apikey:2")]


async def test_a_refused_change_changes_nothing(store: Store) -> None:
    await store.access.modify("apikey:1", lambda _: an_api_key("first"))

    def refuse(_: StoredAccess | None) -> StoredAccess:
        raise TrackerError(Reason.API_KEY_NOT_FOUND, "no")

    with pytest.raises(TrackerError, match="no"):
        await store.access.modify("apikey:1", refuse)
    assert await store.access.find() == [an_api_key("first")]


async def test_the_log_has_changes_without_the_secret_unless_they_are_quiet(store: Store) -> None:
    start = await store.changes.end()
    await store.access.modify("apikey:1", lambda _: an_api_key("first"))
    await store.access.modify("apikey:1", lambda _: an_api_key("used"), logged=False)
    await store.access.modify("apikey:1", lambda _: an_api_key("second"))
    await store.changes.end()
    changes = (await store.changes.read(start, 10, (RecordKind.ACCESS,))).changes
    assert [(change.kind, change.id, change.before, change.after) for change in changes] == [
        (ChangeKind.CREATED, "apikey:1", None, an_api_key("first").record),
        (ChangeKind.UPDATED, "apikey:1", an_api_key("used").record, an_api_key("second").record),
    ]


async def put(store: Store, new: StoredAccess) -> StoredAccess:
    return await store.access.modify(new.record.id, lambda _: new)


@pytest.mark.parametrize("kind", [a_user, a_team])
async def test_a_name_is_that_of_one_user_and_of_one_team(
    store: Store, kind: Callable[[str, str], StoredAccess]
) -> None:
    await put(store, a_user("web", "1") if kind is a_team else a_team("web", "1"))
    changes = (put(store, kind("WEB" if number % 2 else "web", f"{number}")) for number in range(1, 6))
    results = await asyncio.gather(*changes, return_exceptions=True)
    (made,) = [each for each in results if isinstance(each, StoredAccess)]
    taken = [each for each in results if isinstance(each, NameTakenError)]
    assert len(taken) == 4
    await put(store, made)
    other = await put(store, kind("other", "7"))
    with pytest.raises(NameTakenError):
        await put(store, kind("Web", "7"))
    assert other in await store.access.find()
    await put(store, kind("app", made.record.id.rpartition(":")[2]))
    await put(store, kind("Web", "7"))


async def test_the_name_of_a_deleted_team_is_free(store: Store) -> None:
    await put(store, a_team("web", "1"))
    await put(store, StoredAccess(access_pb.Access(id="team:1"), b""))
    await put(store, a_team("web", "2"))
