"""Any filter on any events gives what plain Python gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.soak import size, soaks
from tests.stores.events import one_deployment, place, replace_events
from tests.stores.samples import an_event, id_number

from tracker.domain.events import event_end, event_time
from tracker.domain.query.fields import BY_NAME
from tracker.domain.query.tree import EventFilter, Number, Pattern, Term, all_of, one_of, parts_of
from tracker.domain.times import timestamp
from tracker.pb import event_pb
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from tracker.domain.query.tree import Node
    from tracker.stores.base import Store
    from tracker.stores.pages import Cursor

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


def some(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Node]]:
    """Draw no term for a field, or one for some of its values."""
    field = BY_NAME[name]
    several = st.lists(values, min_size=1, max_size=2)
    return st.just([]) | several.map(lambda drawn: [one_of(field, drawn)])


queries = st.tuples(
    some("type", types),
    some("priority", priorities),
    some("status", statuses),
    some("environment", environments),
    some("source", names.filter(bool)),
    some("service", names.filter(bool)),
    some("slack", st.sampled_from(["1", "2"])) | st.just([]) | st.just([]),
    some("related", names.filter(bool)),
    some("impact", st.booleans()),
).map(lambda drawn: all_of(tuple(term for terms in drawn for term in terms)))

filters = st.builds(
    EventFilter,
    queries,
    since=st.none() | times,
    until=st.none() | times,
    overlapping=st.booleans(),
)


def has_one_of(event: event_pb.Event, term: Node) -> bool:
    assert isinstance(term, Term)
    wanted = {test.value for test in term.tests if isinstance(test, Number)}
    texts = {test.pieces[0] for test in term.tests if isinstance(test, Pattern)}
    its = event.attributes or event_pb.EventAttributes()
    assert event.metadata is not None
    has = {
        "type": its.type,
        "priority": its.priority,
        "status": its.status,
        "environment": its.environment,
        "source": its.source,
        "service": its.service,
        "slack": event.metadata.slack_id,
        "related": its.related_id,
        "impact": its.impact,
    }
    return has[term.field.name] in (texts or wanted)


def matches(event: event_pb.Event, where: EventFilter) -> bool:
    time, end = event_time(event), event_end(event)
    began = where.since is None or time >= where.since
    lasted = where.overlapping and where.since is not None and end is not None and end >= where.since
    return (
        all(has_one_of(event, term) for term in parts_of(where.query))
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
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_find_and_count_agree_with_plain_python(
    store: Store,
    events: list[event_pb.Event],
    where: EventFilter,
    limit: int | None,
    offset: int,
    oldest_first: bool,
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
