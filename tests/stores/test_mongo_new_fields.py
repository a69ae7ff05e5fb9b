"""What becomes of events of version 1 of the schema, without the field by which links are found."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from protobuf.wkt import Duration
from tests.domain.query.trees import CLOCK
from tests.stores.mongo import opened
from tests.stores.samples import an_event, comments, new_id, noting, stored_before

from tracker.domain.events import EventId
from tracker.domain.query.fields import RELATED
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter, one_of
from tracker.domain.times import duration_micros
from tracker.pb import event_pb
from tracker.stores.mongo import upgrades
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from pymongo.database import Database
    from tests.mongo_servers import MongoServers

ROOT = new_id()
TO_ROOT = EventFilter(one_of(RELATED, [ROOT]))


class OldDatabase:
    """A database that a server of version 1 has used."""

    def __init__(self, servers: MongoServers) -> None:
        primary = servers.primary()
        assert primary is not None
        self.uri = servers.emptied_database()
        self.inside: Database[dict[str, Any]] = primary.client.get_database("emptied")

    async def store(self, number: int) -> list[event_pb.Event]:
        """Store events, every second of which links to another, and take away what version 1 did not know."""
        events = [an_event('"relatedId" is a word', attributes=_attributes(each)) for each in range(number)]
        async with opened(self.uri) as store:
            await asyncio.gather(*(store.events.create(event, None) for event in events))
        self.inside["events"].update_many({}, {"$unset": {"related_id": ""}})
        self.inside["tracker"].update_one({"_id": "schema"}, {"$set": {"version": 1}})
        return events

    @property
    def version(self) -> int:
        (stored,) = self.inside["tracker"].find({"_id": "schema"})
        return int(stored["version"])


def _attributes(number: int) -> event_pb.EventAttributes:
    return event_pb.EventAttributes(related_id=ROOT if number % 2 else "", message='"relatedId":""')


@pytest.fixture(params=["mongo", "mongo_replica_set"])
def old(request: pytest.FixtureRequest) -> OldDatabase:
    return OldDatabase(request.getfixturevalue(request.param))


async def test_events_of_before_are_found_by_what_they_link_to(
    old: OldDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrades, "_AT_A_TIME", 2)
    events = await old.store(7)
    async with opened(old.uri) as store:
        found = await store.events.find(TO_ROOT, Page(), oldest_first=True)
        assert list(found.records) == events[1::2]
        assert await store.events.count(EventFilter(parse(f"related:{ROOT}", CLOCK))) == 3
        assert await store.events.count(EventFilter(parse("has:related", CLOCK))) == 3
    assert old.version == upgrades.VERSION


async def test_several_servers_fill_in_what_events_lack_at_once_and_change_them(old: OldDatabase) -> None:
    events = await old.store(20)

    async def serve(number: int) -> None:
        async with opened(old.uri) as store:
            for event in events:
                assert event.metadata is not None
                await store.events.modify(EventId(event.metadata.id), noting(str(number)))

    await asyncio.gather(*(serve(number) for number in range(4)))
    async with opened(old.uri) as store:
        found = (await store.events.find(TO_ROOT, Page())).records
    assert len(found) == 10
    assert all(sorted(comments(event)) == ["0", "1", "2", "3"] for event in found)


async def test_an_event_that_cannot_be_read_does_not_keep_others_from_being_filled_in(
    old: OldDatabase,
) -> None:
    damaged, sound = (await old.store(4))[1::2]
    assert damaged.metadata is not None
    changed = {"$set": {"document": '{"attributes": {"relatedId"'}}
    old.inside["events"].update_one({"_id": damaged.metadata.id}, changed)
    async with opened(old.uri) as store:
        assert list((await store.events.find(TO_ROOT, Page())).records) == [sound]


async def test_events_of_before_are_found_by_a_value_that_is_a_term_since(old: OldDatabase) -> None:
    places = [event_pb.EventAttributes(region=region) for region in ("eu", "us", "")]
    events = [an_event("Deploy", attributes=place) for place in places]
    async with opened(old.uri) as store:
        await asyncio.gather(*(store.events.create(event, None) for event in events))
    old.inside["events"].update_many({}, {"$set": {"terms": ["deploy"]}})
    old.inside["tracker"].update_one({"_id": "fields"}, {"$pull": {"names": "region"}})
    query = EventFilter(parse("region:eu", CLOCK))
    async with opened(old.uri) as store:
        assert list((await store.events.find(query, Page())).records) == events[:1]
    lacking = {"terms": None, "time": {"$exists": True}}
    assert old.inside["events"].count_documents(lacking) == 2
    assert "region" in (old.inside["tracker"].find_one({"_id": "fields"}) or {})["names"]


async def test_events_of_before_are_found_by_how_long_they_took(old: OldDatabase) -> None:
    alone = an_event(took=60_500_000, attributes=event_pb.EventAttributes(status=event_pb.Status.success))
    linked = an_event(took=7_200_000_000, attributes=_attributes(1))

    async def store_before(event: event_pb.Event) -> None:
        """Store an event as an earlier version did."""
        before = stored_before(event)
        assert before.metadata is not None
        async with opened(old.uri) as store:
            await store.events.create(before, None)
            length = {"duration": duration_micros(before.metadata.duration or Duration())}
            change = {"$set": length, "$unset": {"elapsed": "", "gap": ""}}
            old.inside["events"].update_one({"_id": before.metadata.id}, change)

    await store_before(alone)
    old.inside["tracker"].update_one({"_id": "schema"}, {"$set": {"version": 3}})
    await store_before(linked)  # by a server that was not replaced yet
    for query, found in (
        *(("duration:1m..1m1s", [alone]), ("has:duration", [alone]), ("gap:>1h", [stored_before(linked)])),
        ("has:gap", [stored_before(linked)]),
    ):
        async with opened(old.uri) as store:
            where = EventFilter(parse(query, CLOCK))
            assert list((await store.events.find(where, Page())).records) == found, query
    assert old.version == upgrades.VERSION
    assert old.inside["events"].count_documents({"duration": {"$exists": True}}) == 0
