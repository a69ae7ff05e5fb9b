"""The fields of an event in a form: what they begin with, and the event that their entries make."""

from __future__ import annotations

import copy
import hashlib
from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of
from tracker.domain.times import micros, timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb
from tracker.pb.options import name_if_set, wire_name
from tracker.time_text import MICROS, TIME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf import Enum
    from protobuf.wkt import Timestamp

    from tracker.web.times import Times
    from tracker.web.visit import Visit

_TEXTS: Final = (*("service", "owner", "version", "message", "related_id", "source", "region", "cluster"),)
_LINKS: Final = ("pull_request_link", "ticket")
CHOICES: Final[Mapping[str, type[Enum]]] = {
    "type": event_pb.Type,
    "environment": event_pb.Environment,
    "status": event_pb.Status,
    "priority": event_pb.Priority,
}
_MINUTE: Final = len("2026-01-31T12:00")


def options(name: str, nothing: str = "") -> tuple[tuple[str, str], ...]:
    """Return the values of a field, and their words; `nothing` are those of no value."""
    values = [(wire_name(each), wire_name(each).replace("_", " ")) for each in CHOICES[name] if each]
    return (("", nothing), *values) if nothing else tuple(values)


def entries_of(event: event_pb.Event, times: Times) -> dict[str, str]:
    """Return what the fields of a form say of an event."""
    attributes, links = attributes_of(event), event.links or event_pb.EventLinks()
    enums = {name: getattr(attributes, name) for name in CHOICES}
    return {
        "title": event.title,
        **{name: getattr(attributes, name) for name in _TEXTS},
        **{name: getattr(links, name) for name in _LINKS},
        **{name: name_if_set(value) for name, value in enums.items()},
        "impact": "1" if attributes.impact else "",
        "stake_holders": ", ".join(attributes.stake_holders),
        "labels": "\n".join(f"{name}: {value}" for name, value in sorted(attributes.labels.items())),
        "start_date": moment_entry(attributes.start_date, times),
        "end_date": moment_entry(attributes.end_date, times),
    }


def moment_entry(moment: Timestamp | int | None, times: Times) -> str:
    """Return a moment as a field for dates and times has it, in the zone of the reader."""
    if moment is None:
        return ""
    text = f"{times.local(moment if isinstance(moment, int) else micros(moment)):%Y-%m-%dT%H:%M:%S}"
    return text[:_MINUTE] if text.endswith(":00") else text


def state_of(event: event_pb.Event) -> str:
    """Return what differs between an event and the same after a change."""
    stored = [
        event.title,
        event.attributes and event.attributes.to_json(),
        event.links and event.links.to_json(),
    ]
    return hashlib.sha256(repr(stored).encode()).hexdigest()[:32]


def event_in(visit: Visit, before: event_pb.Event) -> event_pb.Event:
    """Return an event as the entries of a form change it; what no field of the form has stays.

    Raises:
        TrackerError: INVALID_ARGUMENT; an entry can't be read.
    """
    form, shown, wrong = visit.form, entries_of(before, visit.times), list[FieldViolation]()
    attributes = copy.copy(attributes_of(before))
    for name in _TEXTS:
        setattr(attributes, name, form.text(name).strip())
    for name, enum in CHOICES.items():
        known = {wire_name(each): each for each in enum}
        value = known.get(form.text(name)) if form.text(name) else enum(0)
        if value is None:
            wrong.append(FieldViolation(name, f"unknown {name}: {form.text(name)}"))
        else:
            setattr(attributes, name, value)
    attributes.impact = bool(form.text("impact"))
    attributes.stake_holders = [
        each.strip() for each in form.text("stake_holders").split(",") if each.strip()
    ]
    for name in ("start_date", "end_date"):
        text = form.text(name)
        if text == shown[name]:
            continue  # seconds have parts that the field does not have
        found = visit.clock.read(text) if text else None
        if text and found is None:
            wrong.append(FieldViolation(name, f"expected {TIME}, got {text!r}"))
        else:
            setattr(attributes, name, timestamp(found.low) if found else None)
    labels = _labels(form.text("labels"))
    if labels is None:
        wrong.append(FieldViolation("labels", "expected a name, a colon and a value on each line"))
    else:
        attributes.labels = labels
    if wrong:
        raise invalid(*wrong)
    links = event_pb.EventLinks(**{name: form.text(name).strip() for name in _LINKS})
    return event_pb.Event(title=form.text("title").strip(), attributes=attributes, links=links)


def moment_of(visit: Visit, text: str) -> int | None:
    """Return the moment that a text of the address names, None for none."""
    found = visit.clock.read(text)
    return None if found is None else found.low - found.low % MICROS


def _labels(text: str) -> dict[str, str] | None:
    labels = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        if not colon:
            return None
        labels[name.strip()] = value.strip()
    return labels
