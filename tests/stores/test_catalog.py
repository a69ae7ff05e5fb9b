from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING

from tests.stores.samples import a_catalog_entry

from tracker.pb import catalog_pb
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from tracker.stores.base import Store


def using(name: str) -> catalog_pb.UsedDeliverable:
    return catalog_pb.UsedDeliverable(name=name)


async def put(store: Store, *names: str) -> None:
    for name in names:
        await store.catalog.upsert(name, lambda _, name=name: a_catalog_entry(name))  # type: ignore[misc] # the default binds the loop's value


async def test_an_entry_is_made_from_nothing_and_changed_from_what_is_stored(store: Store) -> None:
    before: list[catalog_pb.Catalog | None] = []

    def change(stored: catalog_pb.Catalog | None) -> catalog_pb.Catalog:
        before.append(deepcopy(stored))
        return a_catalog_entry("payments", "1.0" if stored is None else "2.0")

    first = await store.catalog.upsert("payments", change)
    second = await store.catalog.upsert("payments", change)
    assert before[0] is None
    assert before[-1] == first
    assert second == a_catalog_entry("payments", "2.0")
    assert await store.catalog.get("payments") == second
    assert (await store.catalog.find(Page())).total == 1


async def test_concurrent_changes_of_one_entry_are_all_kept(store: Store) -> None:
    def add(stored: catalog_pb.Catalog | None, name: str) -> catalog_pb.Catalog:
        entry = deepcopy(stored) if stored is not None else a_catalog_entry("payments")
        entry.used_deliverables.append(using(name))
        return entry

    await asyncio.gather(
        *(store.catalog.upsert("payments", lambda stored, n=n: add(stored, str(n))) for n in range(50)),  # type: ignore[misc] # the default binds the loop's value
        *(store.catalog.modify("payments", lambda stored, n=n: add(stored, str(n))) for n in range(50, 100)),  # type: ignore[misc] # the same
    )
    entry = await store.catalog.get("payments")
    assert entry is not None
    assert sorted(int(used.name) for used in entry.used_deliverables) == list(range(100))


async def test_only_a_stored_entry_can_be_modified(store: Store) -> None:
    assert await store.catalog.modify("payments", lambda entry: entry) is None
    await put(store, "payments")
    changed = await store.catalog.modify("payments", lambda _: a_catalog_entry("payments", "3.0"))
    assert changed == a_catalog_entry("payments", "3.0")
    assert await store.catalog.get("payments") == changed


async def test_a_deleted_entry_is_gone(store: Store) -> None:
    await put(store, "payments")
    assert await store.catalog.delete("payments") is True
    assert await store.catalog.delete("payments") is False
    assert await store.catalog.get("payments") is None


async def test_names_are_told_apart_by_every_character(store: Store) -> None:
    await put(store, "payments", "Payments", "payments ", "pay/ments")
    assert (await store.catalog.find(Page())).total == 4
    assert await store.catalog.get("PAYMENTS") is None


async def test_entries_are_listed_by_code_points_of_their_names(store: Store) -> None:
    names = ["b", "a", "B", "é", "z", "\U0001f680", "\uffee"]
    await put(store, *names)
    found = await store.catalog.find(Page())
    assert [entry.name for entry in found.records] == sorted(names)
    assert found.next is None


async def test_entries_are_given_in_parts(store: Store) -> None:
    await put(store, "a", "b", "c", "d", "e")
    first = await store.catalog.find(Page(limit=2))
    assert ([entry.name for entry in first.records], first.total) == (["a", "b"], 5)
    rest = await store.catalog.find(Page(limit=3, after=first.next))
    assert ([entry.name for entry in rest.records], rest.total, rest.next) == (["c", "d", "e"], 5, None)
    last = await store.catalog.find(Page(limit=2, offset=4))
    assert ([entry.name for entry in last.records], last.total) == (["e"], 5)
