from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import a_state

from tracker.domain.terraform import state_key, with_token, with_version
from tracker.errors import TrackerError
from tracker.pb import terraform_pb
from tracker.stores.pages import Page
from tracker.stores.terraform import parts_of

if TYPE_CHECKING:
    from tracker.stores.base import Store


async def test_a_state_has_the_contents_of_its_versions_and_no_others(store: Store) -> None:
    for contents in (["1"], ["2", "1"], ["3", "1"]):
        state = a_state("s", *contents)
        parts = parts_of("s", contents[0], 7, contents[0].encode() * 9)
        assert await store.terraform.modify("s", lambda _, s=state: s, parts) == state  # type: ignore[misc]
    assert [await store.terraform.content(each) for each in "123"] == [b"1" * 9, None, b"3" * 9]
    assert await store.terraform.get("s") == a_state("s", "3", "1")
    assert await store.terraform.delete("s", lambda _: None) is True
    assert await store.terraform.delete("s", lambda _: None) is False
    assert [await store.terraform.content(each) for each in "123"] == [None] * 3
    again = a_state("s", "4")
    assert await store.terraform.modify("s", lambda before: again if before is None else before) == again


async def test_a_large_content_is_stored_in_parts(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.stores.terraform.PART_BYTES", 3)
    parts = parts_of("s", "c", 7, bytes(range(40)))
    assert len(parts) == 14
    await store.terraform.modify("s", lambda _: a_state("s", "c"), parts)
    assert await store.terraform.content("c") == bytes(range(40))


async def test_states_are_listed_by_id(store: Store) -> None:
    for name in ("b", "a/x", "a"):
        await store.terraform.modify(name, lambda _, n=name: a_state(n))  # type: ignore[misc]
    first = await store.terraform.find(Page(limit=2))
    rest = await store.terraform.find(Page(limit=2, after=first.next))
    assert [state.id for state in (*first.records, *rest.records)] == ["a", "a/x", "b"]
    assert first.total == 3


def test_a_state_takes_nothing_from_who_held_an_earlier_lock() -> None:
    state = with_token(terraform_pb.State(id="s"), 5)
    version = terraform_pb.StateVersion(sha256="a", content_id="c")
    with pytest.raises(TrackerError, match="locked by another since; nothing was written"):
        with_version(state, version, 0, token=4, kept=9)
    for sha256 in ("a", "a", "b", "c"):
        version = terraform_pb.StateVersion(sha256=sha256, content_id=sha256)
        state = with_version(state, version, 0, token=6, kept=2)
    assert [(each.number, each.sha256) for each in state.versions] == [(3, "c"), (2, "b")]
    assert state.fencing_token == 6
    assert state_key("s", "PROD").id == "s/production"
