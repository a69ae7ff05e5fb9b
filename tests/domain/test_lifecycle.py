import copy

import pytest
from protobuf.wkt import Duration

from tracker.domain.events import FINISHED, event_end
from tracker.domain.lifecycle import merged_event, new_event, updated_event, with_elapsed
from tracker.domain.times import timestamp
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.time_text import MICROS

Status, Type = event_pb.Status, event_pb.Type
NOW = 1_800_000_000 * MICROS
MINUTE = 60 * MICROS
ID = "018f0000-0000-7000-8000-000000000001"
OTHER = "018f0000-0000-7000-8000-000000000002"


def attributes(
    status: event_pb.Status = Status.start,
    start: int | None = None,
    end: int | None = None,
    related_id: str = "",
) -> event_pb.EventAttributes:
    return event_pb.EventAttributes(
        type=Type.deployment,
        service="payments",
        status=status,
        related_id=related_id,
        start_date=timestamp(start) if start is not None else None,
        end_date=timestamp(end) if end is not None else None,
    )


def created(given: event_pb.EventAttributes, linked: event_pb.Event | None = None) -> event_pb.Event:
    request = event_pb.CreateEventRequest(title="Deploy", attributes=given)
    return new_event(request, event_id=ID, now=NOW, linked=linked)


def updated(
    event: event_pb.Event, given: event_pb.EventAttributes, at: int, linked: event_pb.Event | None = None
) -> event_pb.Event:
    return updated_event(event, event_pb.UpdateEventRequest(attributes=given), now=at, linked=linked)


def took(event: event_pb.Event) -> float | None:
    duration = event.metadata.duration if event.metadata else None
    return None if duration is None else duration.seconds + duration.nanos / 1e9


def test_a_new_event_has_no_duration_yet() -> None:
    assert took(created(attributes())) is None


def test_start_and_end_give_the_duration() -> None:
    assert took(created(attributes(start=NOW, end=NOW + 3 * MINUTE))) == 180


def test_an_event_does_not_end_before_it_starts() -> None:
    with pytest.raises(TrackerError, match=r"attributes\.end_date: the event ends before it starts"):
        created(attributes(start=NOW, end=NOW - MINUTE))
    assert took(created(attributes(start=NOW, end=NOW))) == 0


def test_an_event_that_was_recorded_with_its_end_before_its_start_can_be_changed() -> None:
    event = created(attributes(start=NOW, end=NOW))
    assert event.attributes is not None
    event.attributes.end_date = timestamp(NOW - MINUTE)
    same = attributes(Status.success, start=NOW, end=NOW - MINUTE)
    assert updated(event, same, NOW).attributes == same
    with pytest.raises(TrackerError, match=r"attributes\.end_date"):
        updated(event, attributes(start=NOW, end=NOW - 2 * MINUTE), NOW)


def test_an_event_recorded_as_ended_took_the_time_since_its_start() -> None:
    assert took(created(attributes(Status.success, start=NOW - MINUTE))) == 60


def test_an_event_recorded_as_ended_without_a_start_has_no_duration() -> None:
    assert took(created(attributes(Status.success))) is None


@pytest.mark.parametrize("status", [Status.success, Status.failure, Status.error, Status.done, Status.close])
def test_an_end_takes_the_time_since_the_creation(status: event_pb.Status) -> None:
    assert took(updated(created(attributes()), attributes(status), NOW + 2 * MINUTE)) == 120


@pytest.mark.parametrize("status", [Status.warning, Status.in_progress, Status.snapshot])
def test_what_is_no_end_gives_no_duration(status: event_pb.Status) -> None:
    assert took(updated(created(attributes()), attributes(status), NOW + 2 * MINUTE)) is None


def test_an_end_takes_the_time_since_the_planned_start() -> None:
    event = created(attributes(Status.planned, start=NOW + 60 * MINUTE))
    ended = updated(event, attributes(Status.success, start=NOW + 60 * MINUTE), NOW + 75 * MINUTE)
    assert took(ended) == 15 * 60


def test_saying_again_that_an_event_ended_keeps_its_duration() -> None:
    ended = updated(created(attributes()), attributes(Status.success), NOW + MINUTE)
    again = updated(ended, attributes(Status.success), NOW + 90 * MINUTE)
    assert took(again) == 60


def test_a_linked_event_took_the_time_since_the_one_it_links_to() -> None:
    first = created(attributes(start=NOW - 5 * MINUTE))
    assert took(created(attributes(related_id=OTHER), linked=first)) == 300


def test_a_linked_event_that_began_earlier_took_no_time() -> None:
    later = created(attributes(start=NOW + MINUTE))
    assert took(created(attributes(related_id=OTHER), linked=later)) == 0


def test_an_update_that_leaves_the_attributes_keeps_the_duration() -> None:
    first = created(attributes(start=NOW - 5 * MINUTE))
    event = created(attributes(related_id=OTHER), linked=first)
    renamed = updated_event(event, event_pb.UpdateEventRequest(title="New"), now=NOW + MINUTE, linked=None)
    assert renamed.metadata is not None
    assert renamed.metadata.duration == Duration(seconds=300)


def test_an_event_is_not_linked_to_itself() -> None:
    with pytest.raises(TrackerError, match="itself"):
        updated(created(attributes()), attributes(related_id=ID.upper()), NOW)


def test_an_update_replaces_attributes_whole_and_leaves_what_is_absent() -> None:
    event = created(attributes(Status.start))
    after = updated_event(
        event,
        event_pb.UpdateEventRequest(attributes=event_pb.EventAttributes(message="hello")),
        now=NOW,
        linked=None,
    )
    assert after.title == "Deploy"
    assert after.attributes == event_pb.EventAttributes(message="hello")
    assert after.links == event.links


def test_a_slack_id_stays_unless_a_new_one_is_sent() -> None:
    request = event_pb.CreateEventRequest(title="Deploy", attributes=attributes(), slack_id="1.5")
    event = new_event(request, event_id=ID, now=NOW, linked=None)
    kept = updated(event, attributes(), NOW)
    moved = updated_event(event, event_pb.UpdateEventRequest(slack_id="2.5"), now=NOW, linked=None)
    assert kept.metadata is not None
    assert kept.metadata.slack_id == "1.5"
    assert moved.metadata is not None
    assert moved.metadata.slack_id == "2.5"
    assert [(e.change_type, e.old_value, e.new_value) for e in moved.changelog[1:]] == [
        (event_pb.ChangeType.linked, "1.5", "2.5")
    ]


def test_an_event_that_is_run_again_has_no_end_until_it_ends_again() -> None:
    event = created(attributes(Status.failure, start=NOW, end=NOW + MINUTE))
    later = attributes(Status.start, start=NOW + 2 * MINUTE)
    again = merged_event(event, event_pb.CreateEventRequest(attributes=later), NOW + 2 * MINUTE, None)
    assert again.attributes is not None
    assert again.attributes.end_date is None
    assert elapsed(again) is None
    later.status = Status.planned
    with pytest.raises(TrackerError, match=r"attributes\.end_date"):
        merged_event(event, event_pb.CreateEventRequest(attributes=later), NOW + 2 * MINUTE, None)


@pytest.mark.parametrize("status", [Status.open, Status.in_progress])
def test_an_event_that_is_opened_again_has_no_end_in_the_past(status: event_pb.Status) -> None:
    event = created(attributes(Status.close, start=NOW, end=NOW + MINUTE))
    request = event_pb.CreateEventRequest(attributes=attributes(status))
    for now, left in ((NOW, NOW + MINUTE), (NOW + 2 * MINUTE, None)):  # it is planned to end, or has ended
        assert event_end(merged_event(event, request, now, None)) == left


def test_the_stored_event_is_never_changed_in_place() -> None:
    event = created(attributes())
    before = event.to_binary()
    updated(event, attributes(Status.success), NOW + MINUTE)
    assert event.to_binary() == before


def test_an_event_that_was_stored_without_its_parts_can_be_updated() -> None:
    bare = event_pb.Event(metadata=event_pb.EventMetadata(id=ID))
    after = updated_event(bare, event_pb.UpdateEventRequest(title="Named"), now=NOW, linked=None)
    assert after.title == "Named"
    assert after.links == event_pb.EventLinks()


def elapsed(event: event_pb.Event) -> float | None:
    found = event.metadata.elapsed if event.metadata else None
    return None if found is None else found.seconds + found.nanos / 1e9


FIRST = created(attributes(start=NOW - 600 * MINUTE))
"""An event to link to."""


@pytest.mark.parametrize("link", ["", OTHER])
def test_an_event_itself_took_the_time_from_its_start_to_its_end_whatever_it_links_to(link: str) -> None:
    linked = FIRST if link else None
    for given, minutes in (
        (attributes(related_id=link), None),
        (attributes(start=NOW, end=NOW + 3 * MINUTE, related_id=link), 3),
        (attributes(end=NOW + 3 * MINUTE, related_id=link), 3),
        (attributes(end=NOW - 3 * MINUTE, related_id=link), None),
        (attributes(Status.success, start=NOW - MINUTE, related_id=link), None if link else 1),
        (attributes(Status.success, related_id=link), None),
    ):
        assert elapsed(created(given, linked)) == (None if minutes is None else minutes * 60)
    open_ = created(attributes(start=NOW - MINUTE, related_id=link), linked)
    for status in FINISHED:
        closed = updated(open_, attributes(status, NOW - MINUTE, related_id=link), NOW + MINUTE, linked)
        assert elapsed(closed) == 120
        assert took(closed) == (599 * 60 if link else 120)


def test_what_an_event_took_follows_its_dates_and_its_status() -> None:
    closed = updated(created(attributes()), attributes(Status.close), NOW + 5 * MINUTE)
    assert elapsed(closed) == 300
    earlier = updated(closed, attributes(Status.done, start=NOW - MINUTE), NOW + 90 * MINUTE)
    assert elapsed(earlier) == 360
    assert elapsed(updated(earlier, attributes(Status.done, NOW, NOW + MINUTE), NOW + 95 * MINUTE)) == 60
    assert elapsed(updated(earlier, attributes(Status.in_progress), NOW + 95 * MINUTE)) is None


def test_an_event_that_was_stored_without_it_says_how_long_it_took() -> None:
    for link in ("", OTHER):
        linked = FIRST if link else None
        planned = created(attributes(start=NOW, end=NOW + 3 * MINUTE, related_id=link), linked)
        opened = created(attributes(start=NOW - MINUTE, related_id=link), linked)
        closed = updated(opened, attributes(Status.close, NOW - MINUTE, None, link), NOW + MINUTE, linked)
        for event in (planned, opened, closed):
            stored = copy.deepcopy(event)
            assert stored.metadata is not None
            stored.metadata.elapsed = None
            assert with_elapsed(stored) == event
