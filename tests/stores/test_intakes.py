from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import a_kept_message

from tracker.domain.commits import Commit
from tracker.stores.intakes import Place, Tally

if TYPE_CHECKING:
    from tracker.stores.base import Store

pytestmark = pytest.mark.anyio


async def test_counts_are_added_and_the_latest_problem_is_kept(store: Store) -> None:
    await store.intakes.count([Tally("github", 5, 1, 0, 1, 0, 7, 5, "first"), Tally("flux", 1, 1)])
    await store.intakes.count([Tally("github", 6, 2), Tally("github", 4, 0, 1, 0, 0, -3)])
    assert await store.intakes.tallies() == [
        Tally("flux", 1, 1),
        Tally("github", 6, 3, 1, 1, 0, -3, 5, "first"),
    ]
    await store.intakes.count([Tally("github", 7, failed=1, problem_at=7, problem="second")])
    assert (await store.intakes.tallies())[1] == Tally("github", 7, 3, 1, 1, 1, -3, 7, "second")


async def test_messages_are_listed_settled_and_dropped(store: Store) -> None:
    messages = [a_kept_message(str(number), number // 2) for number in range(5)]
    for each in (*messages, messages[0]):
        await store.intakes.keep(each)
    listed = [each._replace(body="") for each in reversed(messages)]
    assert await store.intakes.list("", 0, None, 10) == listed
    assert await store.intakes.list("flux", 2, Place(1, "3"), 2) == listed[2:4]
    assert await store.intakes.list("github", 0, None, 10) == []
    settled = messages[2]._replace(outcome=1, reason="", replayed_at=9)
    await store.intakes.settle(settled)
    assert await store.intakes.get("2") == settled
    assert await store.intakes.list("", 1, None, 10) == [settled._replace(body="")]
    assert await store.intakes.sizes("flux") == [(each.id, 8) for each in reversed(messages)]
    await store.intakes.drop(["0", "2", "nothing"])
    await store.intakes.forget(2)
    assert await store.intakes.list("", 0, None, 10) == listed[:1]


async def test_commits_are_found_by_hash_and_repository(store: Store) -> None:
    a, b = "a" * 40, "b" * 40
    stored = [
        Commit("shop/cart", a, 5, "cart"),
        Commit("shop/cart", b, 6, "cart"),
        Commit("x/cart", a, 7, "c"),
    ]
    await store.commits.add(stored)
    await store.commits.add([stored[0]._replace(committed_at=4, service="basket"), stored[1]])
    changed = Commit("shop/cart", a, 4, "basket")
    assert await store.commits.find([a, "c" * 40]) == [changed, stored[2]]
    assert await store.commits.find([a, b], "shop/cart") == [changed, stored[1]]
    pushed = stored[1]._replace(head=b, base=a, merge=1)
    await store.commits.add([pushed])
    await store.commits.add([stored[1]])  # by a merge, which names no push
    assert await store.commits.pushed([b, ""]) == [pushed]
    await store.commits.forget(6)
    assert await store.commits.find([a, b]) == [pushed, stored[2]]
