from __future__ import annotations

from typing import TYPE_CHECKING

from tests.stores.samples import a_link, new_id

from tracker.pb import link_pb

if TYPE_CHECKING:
    from tracker.stores.base import Store


async def test_links_are_listed_by_group_name_and_id(store: Store) -> None:
    links = [
        a_link(group, name) for group, name in (("b", "x"), ("a", "y"), ("a", "x"), ("a", "x"), ("B", "é"))
    ]
    for link in reversed(links):
        await store.links.create(link)
    assert await store.links.find() == sorted(links, key=lambda link: (link.group, link.name, link.id))


async def test_a_modified_link_is_answered_and_takes_its_new_place(store: Store) -> None:
    first, second = a_link("a", "a"), a_link("a", "b")
    await store.links.create(first)
    await store.links.create(second)
    moved = link_pb.Link(id=first.id, group="a", name="c", url="https://example.org")
    assert await store.links.modify(first.id, lambda _: moved) == moved
    assert await store.links.find() == [second, moved]


async def test_a_deleted_link_is_gone(store: Store) -> None:
    link = a_link("a", "a")
    await store.links.create(link)
    assert await store.links.delete(link.id) is True
    assert await store.links.delete(link.id) is False
    assert await store.links.find() == []


async def test_an_unknown_link_is_not_modified(store: Store) -> None:
    assert await store.links.modify(new_id(), lambda link: link) is None
