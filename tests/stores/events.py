"""What stores must find, told by plain Python."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest
from tests.stores.samples import an_end, id_number

from tracker.domain.events import EventId, event_time
from tracker.domain.query.matching import matches
from tracker.domain.query.tree import EventFilter
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query.tree import Node
    from tracker.pb import event_pb
    from tracker.stores.base import Store


one_deployment = pytest.mark.parametrize("store", ["sqlite", "mongo"], indirect=True)
"""Leaves out the replica set: a query means the same on every deployment of MongoDB."""


def place(event: event_pb.Event) -> tuple[int, str]:
    assert event.metadata is not None
    return event_time(event), event.metadata.id


_EXAMPLES = itertools.count(1)


async def replace_events(store: Store, events: Sequence[event_pb.Event]) -> None:
    """Let a store have these events and no others; their ids become new ones, since none comes twice."""
    example = f"{next(_EXAMPLES):08x}"
    for event in events:
        assert event.metadata is not None
        event.metadata.id = example + event.metadata.id[len(example) :]
    stored = await store.events.find(EventFilter(), Page())
    await asyncio.gather(
        *(store.events.delete(EventId(place(event)[1]), an_end()) for event in stored.records)
    )
    await asyncio.gather(*(store.events.create(event, None) for event in events))


ALL = Page()


def newest_first(event: event_pb.Event) -> tuple[int, str]:
    assert event.metadata is not None
    return (event_time(event), event.metadata.id)


def numbered(drawn: list[event_pb.Event]) -> list[event_pb.Event]:
    """Return events that can be in one store: with ids of their own, and others that are not taken."""
    taken: set[str] = set()
    told: set[tuple[str, str]] = set()
    for number, event in enumerate(drawn):
        assert event.metadata is not None
        event.metadata.id = id_number(number)
        if event.metadata.slack_id in taken:
            event.metadata.slack_id = ""
        taken.add(event.metadata.slack_id)
        if event.attributes is not None:
            if (event.attributes.source, event.attributes.external_id) in told:
                event.attributes.external_id = ""
            told.add((event.attributes.source, event.attributes.external_id))
    return drawn


async def agree(store: Store, there: list[event_pb.Event], tree: Node) -> None:
    wanted = sorted((e for e in there if matches(tree, e)), key=newest_first, reverse=True)
    where = EventFilter(tree)
    found = await store.events.find(where, ALL)
    assert list(found.records) == wanted
    assert found.total == await store.events.count(where) == len(wanted)
    assert not found.estimated
    walked: list[event_pb.Event] = []
    part = Page(limit=3)
    while True:
        page = await store.events.find(where, part)
        walked += page.records
        assert page.total == len(wanted)
        if page.next is None:
            break
        part = Page(limit=3, after=page.next)
    assert walked == wanted
    second = await store.events.find(where, Page(limit=2, offset=1))
    assert list(second.records) == wanted[1:3]
    last = await store.events.find(where, Page(limit=2), oldest_first=True)
    assert list(last.records) == wanted[::-1][:2]
    if last.next is not None:
        rest = await store.events.find(where, Page(after=last.next), oldest_first=True)
        assert list(rest.records) == wanted[::-1][2:]
