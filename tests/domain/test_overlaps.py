"""Overlaps, beside the plain way to find them: compare all with all."""

from __future__ import annotations

from itertools import combinations, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.overlaps import TimedEvent, count_overlaps, groups, overlaps, timed_event
from tracker.domain.times import duration, timestamp
from tracker.pb import event_pb

Status = event_pb.Status
NOW = 1_000


def span(number: int, start: int, length: int) -> TimedEvent:
    event = event_pb.Event(metadata=event_pb.EventMetadata(id=f"{number:03}"))
    return TimedEvent(event, start, start + length)


spans = st.lists(st.tuples(st.integers(-10, 30), st.integers(0, 8)), max_size=24).map(
    lambda drawn: [span(number, *each) for number, each in enumerate(drawn)]
)


def id_of(each: TimedEvent) -> str:
    assert each.event.metadata is not None
    return each.event.metadata.id


def microseconds(each: TimedEvent) -> set[int]:
    return set(range(each.start, each.end)) or {each.start}


def compared(spans: list[TimedEvent]) -> dict[frozenset[str], set[int]]:
    """Return the pairs that have microseconds in common, and these."""
    pairs = combinations(spans, 2)
    common = {frozenset(map(id_of, pair)): set.intersection(*map(microseconds, pair)) for pair in pairs}
    return {pair: shared for pair, shared in common.items() if shared}


def connected(spans: list[TimedEvent]) -> set[frozenset[str]]:
    """Return the sets of ids that pairs connect, merged until none can be."""
    sets = set(compared(spans))
    while meeting := next((pair for pair in combinations(sets, 2) if pair[0] & pair[1]), None):
        sets = sets - set(meeting) | {frozenset.union(*meeting)}
    return sets


@given(spans)
def test_pairs_are_those_that_have_time_in_common(spans: list[TimedEvent]) -> None:
    found = [pair for group in groups(spans) for pair in overlaps(group)]
    wanted = compared(spans)
    assert len(found) == len(wanted)
    for pair in found:
        shared = wanted[frozenset((id_of(pair.first), id_of(pair.second)))]
        assert (set(range(pair.start, pair.end)) or {pair.start}) == shared
        assert pair.first.start <= pair.second.start == pair.start


@given(spans)
def test_groups_are_what_pairs_connect_in_the_order_of_time(spans: list[TimedEvent]) -> None:
    found = list(groups(spans))
    assert {frozenset(map(id_of, group)) for group in found} == connected(spans)
    assert [group[0].start for group in found] == sorted(group[0].start for group in found)
    for group in found:
        assert [each.start for each in group] == sorted(each.start for each in group)
        assert count_overlaps(group) == len(list(overlaps(group)))


@given(spans, st.integers(0, 5))
def test_the_first_pairs_are_those_that_overlap_first(spans: list[TimedEvent], most: int) -> None:
    for group in groups(spans):
        starts = [pair.start for pair in overlaps(group)]
        assert [pair.start for pair in islice(overlaps(group), most)] == sorted(starts)[:most]


def test_a_thousand_events_at_once_are_counted_without_their_pairs() -> None:
    (group,) = groups(span(number, 0, 10) for number in range(1_000))
    assert count_overlaps(group) == 1_000 * 999 // 2
    assert len(list(islice(overlaps(group), 10))) == 10


def told(
    status: event_pb.Status, *, end: int | None = None, took: int | None = None, related_id: str = ""
) -> event_pb.Event:
    """Return an event that begins at 100."""
    return event_pb.Event(
        attributes=event_pb.EventAttributes(
            status=status,
            start_date=timestamp(100),
            end_date=None if end is None else timestamp(end),
            related_id=related_id,
        ),
        metadata=event_pb.EventMetadata(
            duration=None if took is None and not related_id else duration(7),
            elapsed=None if took is None else duration(took),
        ),
    )


@pytest.mark.parametrize(
    ("event", "end", "goes_on"),
    [
        (told(Status.planned, end=500), 500, False),
        (told(Status.planned), 100, False),
        (told(Status.start), NOW, True),
        (told(Status.in_progress, end=300), 300, False),
        (told(Status.success, took=50), 150, False),
        (told(Status.success), 100, False),
        (told(Status.success, took=50, related_id="another"), 150, False),
        (told(Status.success, related_id="another"), 100, False),
        (told(Status.success, took=50, end=40), 100, False),
    ],
)
def test_an_event_lasts_as_long_as_is_known_of_it(
    event: event_pb.Event,
    end: int,
    goes_on: bool,
) -> None:
    assert timed_event(event, NOW) == TimedEvent(event, 100, end, goes_on)


def test_what_another_event_says_is_over_lasts_until_then_and_no_longer() -> None:
    event = told(Status.start)
    assert timed_event(event, NOW, 400) == TimedEvent(event, 100, 400)
    assert timed_event(event, NOW, 40) == TimedEvent(event, 100, 100)
    assert timed_event(told(Status.start, end=300), NOW, 400).end == 300


def test_what_is_to_start_is_a_moment_until_then() -> None:
    assert timed_event(told(Status.start), 50).end == 100
