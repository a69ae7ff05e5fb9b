"""What is remembered of the events of a slot is used as long as it holds."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.stores.samples import an_end, an_event

from tracker.domain.event_locks import EventChange
from tracker.domain.events import EventId, event_id, event_time
from tracker.domain.query.fields import BY_NAME
from tracker.domain.query.matching import matches
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EventFilter
from tracker.pb import event_pb
from tracker.stores.sqlite.search import plans
from tracker.time_text import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query.fields import Field
    from tracker.pb import lock_pb
    from tracker.stores.base import Store

SLOT = 2**36
QUERIES = (
    "status:failure",
    "service:a",
    "-status:success -impact:true",
    "service:a*",
    "owner:ann",
    "source:cli",
)
COUNTED = tuple(BY_NAME[name] for name in ("service", "status", "environment", "type", "priority", "impact"))


def at(moment: int, service: str, status: event_pb.Status = event_pb.Status.success) -> event_pb.Event:
    return an_event(created=moment, attributes=event_pb.EventAttributes(service=service, status=status))


def shown(event: event_pb.Event, field: Field) -> str | int:
    assert event.attributes is not None
    return event.attributes.service if field.name == "service" else field.number(event) or 0


async def agree(store: Store, events: Sequence[event_pb.Event], since: int, until: int) -> None:
    total, tallies = await store.events.count_by(EventFilter(since=since, until=until), COUNTED, 10)
    inside = [event for event in events if since <= event_time(event) < until]
    assert total == len(inside) == await store.events.count(EventFilter(since=since, until=until))
    for text in QUERIES if since < until else ():
        query = parse(text, Clock(0, ZoneInfo("UTC")))
        found = [event for event in inside if matches(query, event)]
        (between,) = await store.events.count_between(EventFilter(query), [since, until], BY_NAME["status"])
        assert between == Counter(shown(event, BY_NAME["status"]) for event in found)
        assert await store.events.count_between(EventFilter(query), [since, until], None) == (
            [{"": len(found)}] if found else [{}]
        )
    for field, counted in zip(COUNTED, tallies, strict=True):
        assert dict(counted) == Counter(shown(event, field) for event in inside)
        if since < until:
            (between,) = await store.events.count_between(EventFilter(), [since, until], field)
            assert between == dict(counted)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_counts_of_a_period_follow_every_change(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "_OUTSIDE", -1)  # so that the events of the period are counted, not the others
    names = ("a", "b", "\N{SNOWMAN}", "a b", "")
    events = [at(place * SLOT // 3 - SLOT, names[place % 5]) for place in range(15)]
    for event in events:
        await store.events.create(event, None)

    async def agree_everywhere() -> None:
        periods = (
            (-SLOT, 4 * SLOT),
            (-SLOT + 1, 4 * SLOT - 1),
            (5, SLOT),
            (SLOT // 3, SLOT // 2),
            (0, 0),
            (SLOT, 0),
        )
        for since, until in periods:
            await agree(store, events, since, until)

    await agree_everywhere()
    await agree_everywhere()

    def changed(**values: Any) -> Any:
        def change(event: event_pb.Event, _: Sequence[lock_pb.Lock]) -> EventChange:
            event = deepcopy(event)
            assert event.attributes is not None
            for name, value in values.items():
                setattr(event.attributes, name, value)
            return EventChange(event)

        return change

    moved = events[2].metadata.created_at if events[2].metadata else None
    changes: list[dict[str, Any]] = [
        {"status": event_pb.Status.failure},
        {"service": "c"},
        {"impact": True},
        {"owner": "ann"},
        {"source": "cli"},
        {"start_date": moved},
    ]
    for place, values in enumerate(changes, 4):
        stored = await store.events.modify(EventId(event_id(events[place])), changed(**values))
        assert stored is not None
        events[place] = stored
        await agree_everywhere()
    await store.events.delete(EventId(event_id(events.pop(5))), an_end())
    await agree_everywhere()
