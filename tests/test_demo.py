"""The believable past: the same for the same seed, and like what happens."""

from __future__ import annotations

from collections import Counter

from tracker.demo.company import Company, locks
from tracker.domain.events import attributes_of, event_key, event_time, metadata_of
from tracker.pb import event_pb
from tracker.time_text import MICROS

UNTIL = 1_780_272_000 * MICROS
DAYS = 14


def past(number: int, seed: int = 1) -> list[event_pb.Event]:
    return list(Company(seed).events(number, until=UNTIL, days=DAYS))


def test_a_seed_gives_the_same_events_and_another_one_others() -> None:
    first = past(500)
    assert past(500) == first
    assert past(500, seed=2) != first
    assert len(first) == 500


def test_ids_are_unique_and_of_the_time_of_their_event() -> None:
    events = past(2_000)
    ids = [metadata_of(event).id for event in events]
    assert len(set(ids)) == len(ids)
    for event in events:
        id_ = metadata_of(event).id
        assert event_key(id_).value == id_
        assert id_[14] == "7"
        assert int(id_[:8] + id_[9:13], 16) == event_time(event) // 1_000


def test_the_past_is_within_its_days_and_busiest_when_people_work() -> None:
    times = [event_time(event) for event in past(4_000)]
    assert min(times) >= UNTIL - DAYS * 86_400 * MICROS
    assert UNTIL - 3_600 * MICROS < max(times) < UNTIL
    hours = Counter(time // (3_600 * MICROS) % 24 for time in times)
    assert sum(hours[hour] for hour in range(9, 18)) > 3 * sum(hours[hour] for hour in range(6))


def test_incidents_follow_changes_that_were_there_or_none() -> None:
    events = past(4_000)
    known: dict[str, event_pb.Event] = {}
    incidents = alone = elsewhere = rollbacks = 0
    for event in events:
        told = attributes_of(event)
        if told.type is event_pb.Type.incident:
            incidents += 1
            causes = metadata_of(event).caused_by
            assert all(event_time(known[cause]) < event_time(event) for cause in causes)
            alone += not causes
            elsewhere += any(attributes_of(known[cause]).service != told.service for cause in causes)
        known[metadata_of(event).id] = event
        rollbacks += told.type is event_pb.Type.deployment and bool(told.related_id)
    assert 20 < incidents < 200
    assert rollbacks
    assert alone
    assert elsewhere
    kinds = Counter(attributes_of(event).type for event in events)
    assert kinds[event_pb.Type.deployment] > len(events) // 2
    assert set(kinds) == {1, 2, 3, 4}


def test_services_are_in_the_catalog() -> None:
    services = {entry.name for entry in Company(1).catalog()}
    assert {attributes_of(event).service for event in past(2_000)} <= services


def test_some_work_is_under_way_and_some_planned() -> None:
    events = Company(1).present(UNTIL)
    assert events == Company(1).present(UNTIL)
    statuses = Counter(attributes_of(event).status for event in events)
    assert statuses[event_pb.Status.start] == 6
    assert statuses[event_pb.Status.open] == 1
    for event in events:
        planned = attributes_of(event).status in {event_pb.Status.planned, event_pb.Status.waiting_approval}
        assert (UNTIL < event_time(event) < UNTIL + 15 * 86_400 * MICROS) is planned


def test_work_under_way_holds_its_locks() -> None:
    current = Company(1).present(UNTIL)
    running = [event for event in current if attributes_of(event).status is event_pb.Status.start]
    held = list(locks(current))
    assert running
    assert [lock.event_id for _, lock in held] == [metadata_of(event).id for event in running]


def test_what_is_under_way_is_a_release_after_the_last_one() -> None:
    company = Company(1)
    events = list(company.story(3_000, until=UNTIL, days=DAYS))
    assert len(events) == 3_000
    newest: dict[str, int] = {}
    for event in events:
        told = attributes_of(event)
        if told.type is event_pb.Type.deployment:
            release = int(told.version.split(".")[1])
            if told.status is event_pb.Status.start:
                assert release > newest[told.service]
            newest[told.service] = max(release, newest.get(told.service, 0))
    releases = {each.name: int(each.version.split(".")[1]) for each in company.catalog()}
    assert all(releases[name] >= release - 1 for name, release in newest.items())
