from __future__ import annotations

import asyncio
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from protobuf.wkt import Duration
from tests.stores.samples import (
    NOW,
    a_lock,
    an_end,
    an_entry,
    an_event,
    comments,
    id_number,
    new_id,
    noting,
    taken,
    whole_changelog,
    without_fence,
)

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId, SlackId
from tracker.domain.locks import (
    EndedLock,
    Ending,
    HeldLock,
    LockFilter,
    LockHeldError,
    Release,
    hash_token,
    renew_lease,
)
from tracker.domain.query.fields import BY_NAME, SERVICE
from tracker.domain.query.tree import EventFilter, one_of
from tracker.domain.times import timestamp
from tracker.pb import event_pb
from tracker.stores.events import DeletedEvent, ExternalIdTakenError, MonthCount, SlackIdTakenError
from tracker.stores.pages import Page
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.pb import lock_pb
    from tracker.stores.base import Store


GONE = Release(Ending.EVENT_ENDED, NOW)


def key(event: event_pb.Event) -> EventId:
    assert event.metadata is not None
    return EventId(event.metadata.id)


async def test_an_event_is_found_by_its_id_and_by_its_slack_id(store: Store) -> None:
    event = an_event("déploiement\x00\u2028 \U0001f680", slack_id="1700.001")
    await store.events.create(event, None)
    assert await store.events.get(key(event)) == event
    assert await store.events.get(SlackId("1700.001")) == event


async def test_no_event_is_found_by_an_unknown_key(store: Store) -> None:
    await store.events.create(an_event(), None)
    for unknown in (EventId(new_id()), SlackId("1700.001"), SlackId(""), EventId("")):
        assert await store.events.get(unknown) is None
        assert await store.events.modify(unknown, noting("never")) is None
        assert await store.events.delete(unknown, GONE) is None


async def test_an_event_keeps_enum_numbers_that_no_proto_declares(store: Store) -> None:
    event = an_event(attributes=event_pb.EventAttributes(type=event_pb.Type(77)))
    await store.events.create(event, None)
    found = await store.events.find(EventFilter(one_of(BY_NAME["type"], [event_pb.Type(77)])), Page())
    assert found.records == [event]


async def test_briefs_of_events_say_what_the_events_say(store: Store) -> None:
    ended = an_event(event_id=id_number(1), created=NOW - 5 * MICROS)
    assert ended.metadata is not None
    ended.metadata.elapsed = Duration(seconds=90, nanos=250_000_000)
    ended.attributes = event_pb.EventAttributes(
        service="shop",
        status=event_pb.Status.success,
        environment=event_pb.Environment.production,
        version="1.2",
        owner="ana",
        labels={"sha": "c0ffee"},
        start_date=timestamp(-1),
    )
    unnamed = event_pb.EventAttributes(status=event_pb.Status(77), end_date=timestamp(NOW + 1))
    await store.events.create(ended, None)
    await store.events.create(an_event(event_id=id_number(2), attributes=unnamed), None)
    found = await store.events.find_briefs(EventFilter(), Page(limit=1))
    (brief,) = found.records
    assert (brief.id, brief.time, brief.end, brief.status) == (id_number(2), NOW, NOW + 1, 77)
    rest = await store.events.find_briefs(EventFilter(), Page(limit=1, after=found.next))
    assert rest.next is None
    (brief,) = rest.records
    assert (brief.title, brief.service, brief.version, brief.owner) == (ended.title, "shop", "1.2", "ana")
    assert (brief.status, brief.environment) == (
        event_pb.Status.success,
        event_pb.Environment.production,
    )
    assert (brief.time, brief.end, brief.elapsed, brief.over(NOW)) == (-1, None, 90_250_000, 90_249_999)
    assert brief.labels == {"sha": "c0ffee"}


async def test_an_event_is_created_with_its_lock(store: Store) -> None:
    event = an_event()
    lock = a_lock(event_id=key(event).value)
    await store.events.create(event, lock)
    assert await store.events.get(key(event)) == event
    assert without_fence(await store.locks.get(lock.id)) == lock


async def test_an_event_whose_lock_is_held_is_not_created(store: Store) -> None:
    held = await taken(store, a_lock(who="alice"))
    event = an_event()
    with pytest.raises(LockHeldError) as refused:
        await store.events.create(event, a_lock())
    assert refused.value.holder == held
    assert await store.events.get(key(event)) is None
    assert (await store.events.find(EventFilter(), Page())).total == 0


async def test_of_many_events_those_that_are_new_are_added(store: Store) -> None:
    there = an_event("there", slack_id="1700.001")
    external = event_pb.EventAttributes(source="ci", external_id="run 7")
    named = an_event("named", attributes=external)
    await store.events.create(there, None)
    new = [an_event(f"event {number}") for number in range(600)]
    again = deepcopy(there)
    again.title = "again"
    events = [
        named,
        again,
        an_event(slack_id="1700.001"),
        an_event(attributes=external),
        *new,
        an_event(slack_id="1700.002"),
        an_event(slack_id="1700.002"),
        new[0],
    ]
    outcomes = await store.events.add(events)
    assert [outcomes[place] for place in (0, 1, *range(4, 605))] == [True, False, *[True] * 601]
    slack, external_id, same, last = (outcomes[place] for place in (2, 3, 605, 606))
    assert isinstance(slack, SlackIdTakenError)
    assert slack.metadata["event_id"] == key(there).value
    assert isinstance(external_id, ExternalIdTakenError)
    assert external_id.metadata["event_id"] == key(named).value
    assert isinstance(same, SlackIdTakenError)
    assert last is False
    assert await store.events.get(key(there)) == there
    assert (await store.events.find(EventFilter(), Page(1))).total == 603
    assert set(await store.events.add(new)) == {False}
    assert await store.events.add([]) == []


async def test_a_slack_id_belongs_to_one_event(store: Store) -> None:
    first, second = an_event(slack_id="1700.001"), an_event(slack_id="1700.001")
    await store.events.create(first, None)
    lock = a_lock()
    with pytest.raises(SlackIdTakenError) as refused:
        await store.events.create(second, lock)
    assert refused.value.metadata["event_id"] == key(first).value
    assert await store.events.get(key(second)) is None
    assert await store.locks.get(lock.id) is None


async def test_many_events_may_have_no_slack_id(store: Store) -> None:
    await asyncio.gather(*(store.events.create(an_event(), None) for _ in range(3)))
    assert await store.events.count(EventFilter()) == 3


async def test_a_modified_event_is_answered_stored_and_found_anew(store: Store) -> None:
    event = an_event(attributes=event_pb.EventAttributes(service="payments"))
    await store.events.create(event, None)

    def change(stored: event_pb.Event, locks: Sequence[lock_pb.Lock]) -> EventChange:
        assert stored == event
        assert locks == []
        changed = deepcopy(stored)
        changed.attributes = event_pb.EventAttributes(service="billing", start_date=timestamp(NOW + 5))
        assert changed.metadata is not None
        changed.metadata.slack_id = "1700.002"
        return EventChange(changed)

    changed = await store.events.modify(key(event), change)
    assert changed is not None
    assert changed.attributes is not None
    assert changed.attributes.service == "billing"
    assert await store.events.get(SlackId("1700.002")) == changed
    assert await store.events.count(EventFilter(one_of(SERVICE, ["payments"]))) == 0
    assert (
        await store.events.find(EventFilter(one_of(SERVICE, ["billing"]), since=NOW + 5), Page())
    ).records == [changed]


async def test_an_event_cannot_take_the_slack_id_of_another(store: Store) -> None:
    first, second = an_event(slack_id="1700.001"), an_event()
    await store.events.create(first, None)
    await store.events.create(second, None)
    lock = a_lock()

    def change(stored: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        changed = deepcopy(stored)
        assert changed.metadata is not None
        changed.metadata.slack_id = "1700.001"
        return EventChange(changed, acquire=lock)

    with pytest.raises(SlackIdTakenError) as refused:
        await store.events.modify(key(second), change)
    assert refused.value.metadata["event_id"] == key(first).value
    assert await store.events.get(key(second)) == second
    assert await store.locks.get(lock.id) is None


async def test_concurrent_changes_of_one_event_are_all_kept(store: Store) -> None:
    event = an_event(slack_id="1700.001")
    await store.events.create(event, None)
    names = [str(number) for number in range(100)]
    await asyncio.gather(
        *(store.events.modify(key(event) if int(n) % 2 else SlackId("1700.001"), noting(n)) for n in names)
    )
    entries = await whole_changelog(store, key(event))
    assert sorted(entry.comment for entry in entries) == sorted(names)


async def test_a_change_that_raises_changes_nothing(store: Store) -> None:
    event = an_event()
    await store.events.create(event, None)

    def refuse(_: event_pb.Event, __: Sequence[lock_pb.Lock]) -> EventChange:
        raise ZeroDivisionError

    results = await asyncio.gather(
        store.events.modify(key(event), noting("before")),
        store.events.modify(key(event), refuse),
        store.events.modify(key(event), noting("behind")),
        return_exceptions=True,
    )
    assert isinstance(results[1], ZeroDivisionError)
    assert sorted(comments(await store.events.get(key(event)))) == ["before", "behind"]


async def test_a_change_sees_the_locks_of_its_event_and_may_trade_them(store: Store) -> None:
    event = an_event()
    first = a_lock("a", event_id=key(event).value, created=NOW)
    second = a_lock("b", event_id=key(event).value, created=NOW + 1)
    await store.events.create(event, first)
    second = await taken(store, second)
    await taken(store, a_lock("c"))
    third = a_lock("a", event_id=key(event).value)

    def trade(stored: event_pb.Event, locks: Sequence[lock_pb.Lock]) -> EventChange:
        assert sorted(lock.id for lock in locks) == sorted([first.id, second.id])
        return EventChange(stored, release={first.id: GONE, new_id(): GONE}, acquire=third)

    assert await store.events.modify(key(event), trade) == event
    assert await store.locks.get(first.id) is None
    assert await store.locks.get(second.id) == second
    assert without_fence(await store.locks.get(third.id)) == third
    assert [lock.id for lock in (await store.locks.find(LockFilter("a"), Page())).records] == [third.id]


async def test_a_change_renews_a_lock_of_its_event(store: Store) -> None:
    event = an_event()
    await store.events.create(event, a_lock(event_id=key(event).value, ttl=10 * MICROS))

    def renew(stored: event_pb.Event, locks: Sequence[lock_pb.Lock]) -> EventChange:
        return EventChange(stored, renew=[renew_lease(lock, NOW + MICROS) for lock in locks])

    await store.events.modify(key(event), renew)
    (lock,) = (await store.locks.find(LockFilter(), Page())).records
    assert lock.expires_at == timestamp(NOW + 11 * MICROS)
    (lease,) = await store.locks.leases()
    assert (lease.lock_id, lease.ttl, lease.renewals) == (lock.id, 10 * MICROS, 1)


async def test_the_end_of_a_lock_with_its_event_is_remembered(store: Store) -> None:
    event = an_event()
    await store.events.create(event, a_lock("a", event_id=key(event).value, ttl=MICROS))
    second = await taken(store, a_lock("b", event_id=key(event).value), "token")
    (first,) = (await store.locks.find(LockFilter("a"), Page())).records

    def end_first(stored: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        return EventChange(stored, release={first.id: GONE})

    await store.events.modify(key(event), end_first)
    await store.events.delete(key(event), an_end("", Ending.EVENT_ENDED, at=NOW + 5))
    ends = [await store.locks.ended(lock.id) for lock in (first, second)]
    assert ends == [
        EndedLock(first, b"", Ending.EVENT_ENDED, NOW),
        EndedLock(second, hash_token("token"), Ending.EVENT_ENDED, NOW + 5),
    ]


async def test_a_change_whose_lock_is_held_changes_nothing(store: Store) -> None:
    event = an_event()
    own = a_lock("a", event_id=key(event).value)
    await store.events.create(event, own)
    held = await taken(store, a_lock("b"))

    def change(stored: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
        changed = deepcopy(stored)
        changed.title = "never"
        return EventChange(changed, release={own.id: GONE}, acquire=a_lock("b"))

    with pytest.raises(LockHeldError) as refused:
        await store.events.modify(key(event), change)
    assert refused.value.holder == held
    assert await store.events.get(key(event)) == event
    assert without_fence(await store.locks.get(own.id)) == own


@pytest.mark.parametrize("by_slack_id", [False, True])
async def test_a_deleted_event_is_answered_and_gone_with_its_locks(store: Store, by_slack_id: bool) -> None:
    event = an_event(slack_id="1700.001")
    await store.events.create(event, a_lock("a", event_id=key(event).value))
    (own,) = (await store.locks.find(LockFilter(), Page())).records
    other = await taken(store, a_lock("b"))
    deleted = await store.events.delete(SlackId("1700.001") if by_slack_id else key(event), GONE)
    assert deleted == DeletedEvent(event, [own])
    assert await store.events.get(key(event)) is None
    assert await store.locks.get(own.id) is None
    assert await store.locks.get(other.id) == other
    assert await store.events.count(EventFilter()) == 0


async def test_deleting_an_event_leaves_locks_without_an_event_alone(store: Store) -> None:
    lock = await taken(store, a_lock(event_id=""))
    event = an_event()
    await store.events.create(event, None)
    await store.events.delete(key(event), GONE)
    assert await store.locks.get(lock.id) == lock


async def test_messages_given_to_a_store_stay_as_they_are(store: Store) -> None:
    event, entry = an_event(), an_entry("locked")
    lock = a_lock(event_id=key(event).value)
    copies = deepcopy((event, entry, lock))
    await store.events.create(event, None)
    await store.locks.acquire(HeldLock(lock), entry)
    await store.locks.release(lock.id, lambda _: Release(Ending.RELEASED, NOW, entry=entry))
    assert (event, entry, lock) == copies


async def test_a_call_cancelled_before_its_effect_has_none(store: Store) -> None:
    event = an_event()
    call = asyncio.ensure_future(store.events.create(event, None))
    behind = asyncio.ensure_future(store.events.create(an_event(), None))
    await asyncio.sleep(0)
    call.cancel()
    await behind
    assert call.cancelled()
    assert await store.events.get(key(event)) is None


async def test_events_are_counted_by_month_of_their_time_in_utc(store: Store) -> None:
    months = {
        "2023-12-31T23:59:59.999999": 1_704_067_199_999_999,
        "2024-01-01T00:00:00": 1_704_067_200_000_000,
        "2024-01-31T12:00:00": 1_706_702_400_000_000,
        "1969-12-31T23:59:59.999999": -1,
        "1970-01-01T00:00:00": 0,
    }
    for service in ("b", "a"):
        for time in months.values():
            attributes = event_pb.EventAttributes(service=service, start_date=timestamp(time))
            await store.events.create(an_event(created=NOW, attributes=attributes), None)
    await store.events.create(an_event(created=NOW), None)
    by_month = await store.events.count_by_month(EventFilter(until=NOW), by_service=False)
    assert list(by_month) == [
        MonthCount(1969, 12, "", 2),
        MonthCount(1970, 1, "", 2),
        MonthCount(2023, 12, "", 2),
        MonthCount(2024, 1, "", 4),
    ]
    by_service = await store.events.count_by_month(EventFilter(since=1, until=NOW + 1), by_service=True)
    assert list(by_service) == [
        MonthCount(2023, 12, "a", 1),
        MonthCount(2023, 12, "b", 1),
        MonthCount(2024, 1, "a", 2),
        MonthCount(2024, 1, "b", 2),
        MonthCount(2025, 6, "", 1),
    ]


async def test_a_walk_by_cursor_neither_repeats_nor_misses_while_events_come_and_go(store: Store) -> None:
    for number in range(50):
        await store.events.create(an_event(event_id=id_number(number), created=NOW + number // 7), None)
    seen: list[str] = []
    part = Page(limit=7)
    while True:
        found = await store.events.find(EventFilter(), part)
        seen += [key(event).value for event in found.records]
        if found.next is None:
            break
        await store.events.create(an_event(created=NOW + 10 * MICROS), None)
        await store.events.delete(EventId(seen[-1]), GONE)
        part = Page(limit=7, after=found.next)
    assert seen == [id_number(number) for number in reversed(range(50))]
