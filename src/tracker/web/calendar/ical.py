"""Events as iCalendar (RFC 5545), for programs that subscribe to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of, event_id, event_time, metadata_of
from tracker.domain.times import micros
from tracker.pb import event_pb
from tracker.pb.options import wire_name
from tracker.time_text import MICROS, datetime_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tracker.domain.overlaps import TimedEvent

_OCTETS: Final = 75
"""Octets of a line without its end (RFC 5545, 3.1)."""
_SPECIAL: Final = re.compile(r"[\\;,\n]")
_BREAK: Final = re.compile(r"\r\n?")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_TENTATIVE: Final = frozenset({event_pb.Status.planned, event_pb.Status.waiting_approval})
_HEAD: Final = (
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Tracker//Tracker//EN",
    "CALSCALE:GREGORIAN",
    "NAME:Tracker",
    "X-WR-CALNAME:Tracker",
    "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
    "X-PUBLISHED-TTL:PT15M",
)


def calendar(events: Iterable[TimedEvent]) -> bytes:
    """Return events as a calendar, with times in UTC."""
    lines = [*_HEAD, *(line for each in events for line in _event(each)), "END:VCALENDAR"]
    return b"".join(folded(line) for line in lines)


def escaped(text: str) -> str:
    """Return a value of type TEXT (RFC 5545, 3.3.11), without control characters."""
    plain = _CONTROL.sub("", _BREAK.sub("\n", text))
    return _SPECIAL.sub(lambda found: "\\n" if found[0] == "\n" else f"\\{found[0]}", plain)


def folded(line: str) -> bytes:
    """Return a line of any length as lines of up to 75 octets, none of which divides a character."""
    parts, rest, room = list[bytes](), line.encode(errors="replace"), _OCTETS
    while len(rest) > room:
        cut = room
        while rest[cut] & 0xC0 == 0x80:  # noqa: PLR2004 - a byte that continues a character of UTF-8
            cut -= 1
        parts.append(rest[:cut])
        rest, room = rest[cut:], _OCTETS - 1
    return b"\r\n ".join([*parts, rest]) + b"\r\n"


def _event(timed: TimedEvent) -> Iterator[str]:
    event = timed.event
    attributes, metadata = attributes_of(event), metadata_of(event)
    changes = [micros(each.timestamp) for each in event.changelog if each.timestamp is not None]
    created = event_time(event) if metadata.created_at is None else micros(metadata.created_at)
    changed = max(changes, default=created)
    yield "BEGIN:VEVENT"
    yield f"UID:{event_id(event)}"
    yield f"DTSTAMP:{_moment(changed)}"
    yield f"LAST-MODIFIED:{_moment(changed)}"
    yield f"SEQUENCE:{max(0, (event.changelog_total or len(event.changelog)) - 1)}"
    yield f"DTSTART:{_moment(timed.start)}"
    if timed.end - timed.start >= MICROS and not timed.goes_on:  # DTEND must be later (RFC 5545, 3.6.1)
        yield f"DTEND:{_moment(timed.end)}"
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
    status = wire_name(attributes.status).replace("_", " ") if attributes.status else ""
    facts = (("Status", status), ("Owner", attributes.owner), ("Priority", _priority(attributes)))
    lines = [f"{name}: {value}" for name, value in facts if value]
    return "\n".join(filter(None, [*lines, f"Event: {event_id(event)}", attributes.message]))


def _environment(attributes: event_pb.EventAttributes) -> str:
    return wire_name(attributes.environment) if attributes.environment else ""


def _priority(attributes: event_pb.EventAttributes) -> str:
    return wire_name(attributes.priority) if attributes.priority else ""


def _moment(moment: int) -> str:
    return f"{datetime_of(moment):%Y%m%dT%H%M%SZ}"
