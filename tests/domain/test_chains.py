"""Chains, however their events link to each other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.events import chain, event_time, root_of
from tracker.domain.times import timestamp
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.events import Link


def event(name: str, time: int = 0, related_id: str = "") -> event_pb.Event:
    return event_pb.Event(
        attributes=event_pb.EventAttributes(start_date=timestamp(time), related_id=related_id),
        metadata=event_pb.EventMetadata(id=name),
    )


def name(its: event_pb.Event) -> str:
    assert its.metadata is not None
    return its.metadata.id


def shown(links: Sequence[Link]) -> list[tuple[str, str, int, int | None]]:
    return [
        (name(link.event), "" if link.parent is None else name(link.parent), link.depth, link.since_parent)
        for link in links
    ]


def test_a_chain_is_in_the_order_of_time_with_the_way_to_its_root() -> None:
    deployment = event("deployment", 100)
    incident = event("incident", 400, "deployment")
    rollback = event("rollback", 700, "incident")
    comment = event("comment", 500, "deployment")
    stranger = event("stranger", 450, "elsewhere")
    assert shown(chain(deployment, [rollback, comment, stranger, incident])) == [
        ("deployment", "", 0, None),
        ("incident", "deployment", 1, 300),
        ("comment", "deployment", 1, 400),
        ("rollback", "incident", 2, 300),
    ]


def test_what_is_earlier_than_what_it_links_to_comes_before_it_and_took_no_time() -> None:
    deployment, notice = event("deployment", 100), event("notice", 40, "deployment")
    assert shown(chain(deployment, [notice])) == [
        ("notice", "deployment", 1, 0),
        ("deployment", "", 0, None),
    ]


def test_the_root_is_where_a_path_ends() -> None:
    path = [event("c", 3, "b"), event("b", 2, "a"), event("a", 1, "deleted")]
    assert root_of(path) is path[-1]
    assert root_of(path[:1]) is path[0]


def test_the_root_of_a_circle_is_its_earliest_event() -> None:
    path = [event("into", 1, "c"), event("c", 4, "b"), event("b", 2, "a"), event("a", 3, "c")]
    root = root_of(path)
    assert name(root) == "b"
    assert shown(chain(root, path)) == [
        ("into", "c", 2, 0),
        ("b", "", 0, None),
        ("a", "c", 2, 0),
        ("c", "b", 1, 2),
    ]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 9)), min_size=1, max_size=10))
def test_a_chain_has_each_event_once_below_the_one_that_it_links_to(drawn: list[tuple[int, int]]) -> None:
    events = [event(str(each), time, str(to)) for each, (time, to) in enumerate(drawn)]
    links = chain(events[0], events)
    assert len({name(link.event) for link in links}) == len(links)
    assert all(event_time(a.event) <= event_time(b.event) for a, b in pairwise(links))
    depths = {name(link.event): link.depth for link in links}
    for link in links:
        if link.parent is None:
            assert (link.event, link.depth) == (events[0], 0)
        else:
            assert link.event.attributes is not None
            assert link.event.attributes.related_id == name(link.parent)
            assert link.depth == depths[name(link.parent)] + 1
    left = [each for each in events if name(each) not in depths]
    assert not any(each.attributes and each.attributes.related_id in depths for each in left)
