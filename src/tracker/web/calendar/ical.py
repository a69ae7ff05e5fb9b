"""Events as iCalendar (RFC 5545), for programs that subscribe to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of, event_id, event_time, metadata_of
from tracker.domain.times import micros
from tracker.pb import event_pb
from tracker.pb.options import name_if_set, wire_name
from tracker.time_text import MICROS
from tracker.web.icalendar import calendar_of, escaped, utc_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracker.domain.overlaps import TimedEvent

_TENTATIVE: Final = frozenset({event_pb.Status.planned, event_pb.Status.waiting_approval})


def calendar(events: Iterable[TimedEvent]) -> bytes:
    """Return events as a calendar, with times in UTC."""
    return calendar_of(line for each in events for line in _event(each))


def _event(timed: TimedEvent) -> Iterator[str]:
    event = timed.event
    attributes, metadata = attributes_of(event), metadata_of(event)
    changes = [micros(each.timestamp) for each in event.changelog if each.timestamp is not None]
    created = event_time(event) if metadata.created_at is None else micros(metadata.created_at)
    changed = max(changes, default=created)
    yield "BEGIN:VEVENT"
    yield f"UID:{event_id(event)}"
    yield f"DTSTAMP:{utc_text(changed)}"
    yield f"LAST-MODIFIED:{utc_text(changed)}"
    yield f"SEQUENCE:{max(0, (event.changelog_total or len(event.changelog)) - 1)}"
    yield f"DTSTART:{utc_text(timed.start)}"
    if timed.end - timed.start >= MICROS and not timed.goes_on:  # DTEND must be later (RFC 5545, 3.6.1)
        yield f"DTEND:{utc_text(timed.end)}"
    yield f"SUMMARY:{escaped(event.title)}"
    yield f"DESCRIPTION:{escaped(_description(event))}"
    where = " ".join(filter(None, [attributes.service, _environment(attributes)]))
    yield f"LOCATION:{escaped(where)}"
    yield f"STATUS:{'TENTATIVE' if attributes.status in _TENTATIVE else 'CONFIRMED'}"
    if attributes.type:
        yield f"CATEGORIES:{wire_name(attributes.type).upper()}"
    yield "TRANSP:TRANSPARENT"
    yield "END:VEVENT"


def _description(event: event_pb.Event) -> str:
    attributes = attributes_of(event)
    status = name_if_set(attributes.status).replace("_", " ")
    facts = (("Status", status), ("Owner", attributes.owner), ("Priority", _priority(attributes)))
    lines = [f"{name}: {value}" for name, value in facts if value]
    return "\n".join(filter(None, [*lines, f"Event: {event_id(event)}", attributes.message]))


def _environment(attributes: event_pb.EventAttributes) -> str:
    return name_if_set(attributes.environment)


def _priority(attributes: event_pb.EventAttributes) -> str:
    return name_if_set(attributes.priority)
