"""Any filter on any events gives what plain Python gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.soak import size, soaks
from tests.stores.events import one_deployment, place, replace_events
from tests.stores.samples import an_event, id_number

from tracker.domain.events import EventFilter, event_end, event_time
from tracker.domain.times import timestamp
from tracker.pb import event_pb
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from tracker.domain.paging import Cursor
    from tracker.stores.base import Store

times = st.integers(-3, 12) | st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)
moments = st.none() | times.map(timestamp)
names = st.sampled_from(["", "a", "b", "é", "a\x00b"])
types = st.sampled_from([event_pb.Type(number) for number in range(3)])
priorities = st.sampled_from([event_pb.Priority(number) for number in range(3)])
statuses = st.sampled_from([event_pb.Status(number) for number in range(3)])
environments = st.sampled_from([event_pb.Environment(number) for number in range(3)])

attributes = st.builds(
    event_pb.EventAttributes,
    type=types,
    priority=priorities,
    status=statuses,
    environment=environments,
    impact=st.booleans(),
    service=names,
    source=names,
    related_id=names,
    start_date=moments,
    end_date=moments,
)


@st.composite
def several_events(draw: st.DrawFn) -> list[event_pb.Event]:
    drawn = draw(st.lists(st.tuples(st.none() | attributes, times, st.booleans()), max_size=12))
    return [
        an_event(
            event_id=id_number(number),
            slack_id=str(number) if slack else "",
            created=created,
            attributes=its,
        )
        for number, (its, created, slack) in enumerate(drawn)
    ]


def some(values: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.just(()) | st.lists(values, max_size=2).map(tuple)


filters = st.builds(
    EventFilter,
    types=some(types),
    priorities=some(priorities),
    statuses=some(statuses),
    environments=some(environments),
    source=names,
    service=names,
    slack_id=st.sampled_from(["", "", "", "1", "2"]),
    related_ids=some(names.filter(bool)),
    impact=st.none() | st.booleans(),
    since=st.none() | times,
    until=st.none() | times,
    overlapping=st.booleans(),
)


def matches(event: event_pb.Event, where: EventFilter) -> bool:
    its = event.attributes or event_pb.EventAttributes()
    assert event.metadata is not None
    time, end = event_time(event), event_end(event)
    began = where.since is None or time >= where.since
    lasted = where.overlapping and where.since is not None and end is not None and end >= where.since
    return (
        (not where.types or its.type in where.types)
        and (not where.priorities or its.priority in where.priorities)
        and (not where.statuses or its.status in where.statuses)
        and (not where.environments or its.environment in where.environments)
        and where.source in ("", its.source)
        and where.service in ("", its.service)
        and where.slack_id in ("", event.metadata.slack_id)
        and (not where.related_ids or its.related_id in where.related_ids)
        and (where.impact is None or its.impact == where.impact)
        and (where.until is None or time < where.until)
        and (began or lasted)
    )


async def test_what_only_reaches_into_a_period_is_found_where_nothing_began_in_it(store: Store) -> None:
    event = an_event(created=0, attributes=event_pb.EventAttributes(end_date=timestamp(1)))
    await store.events.create(event, None)
    for oldest_first in (False, True):
        where = EventFilter(since=1, overlapping=True)
        found = await store.events.find(where, Page(), oldest_first=oldest_first)
        assert (list(found.records), found.total) == ([event], 1)


@soaks
@one_deployment
@given(
    events=several_events(),
    where=filters,
    limit=st.none() | st.integers(1, 4),
    offset=st.integers(0, 5),
    oldest_first=st.booleans(),
)
@settings(
    max_examples=size(60, soak=750),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_find_and_count_agree_with_plain_python(  # noqa: PLR0913, PLR0917 - each is drawn
    store: Store,
    events: list[event_pb.Event],
    where: EventFilter,
    limit: int | None,
    offset: int,
    oldest_first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    await replace_events(store, events)
    expected = sorted(
        (event for event in events if matches(event, where)), key=place, reverse=not oldest_first
    )

    assert await store.events.count(where) == len(expected)
    by_service = await store.events.count_by_month(where, by_service=True)
    assert sum(month.count for month in by_service) == len(expected)

    given = await store.events.find(where, Page(limit=limit, offset=offset), oldest_first=oldest_first)
    end = None if limit is None else offset + limit
    assert list(given.records) == expected[offset:end]
    assert given.total == len(expected)

    walked: list[event_pb.Event] = []
    after: Cursor | None = None
    while True:
        found = await store.events.find(where, Page(limit=limit, after=after), oldest_first=oldest_first)
        assert found.total == len(expected)
        walked += found.records
        after = found.next
        if after is None:
            break
        assert after == place(walked[-1])
    assert walked == expected
