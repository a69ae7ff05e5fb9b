"""The life of an event: how it is created and changed, when it ends, how long it takes."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID, uuid5

from tracker.domain import changelog
from tracker.domain.events import (
    FINISHED,
    RUNNING,
    attributes_of,
    event_end,
    event_key,
    event_time,
    metadata_of,
)
from tracker.domain.times import duration, duration_micros, micros, shown, timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import event_pb
from tracker.permissions import Permission

if TYPE_CHECKING:
    from protobuf.wkt import Duration, Timestamp

    from tracker.domain.access import Principal

_Message = TypeVar("_Message", event_pb.EventAttributes, event_pb.EventLinks)

OUR_NUMBERS = 100
"""First number of the fields that the Go implementation, and its clients, do not have."""

MAX_LABELS = 64
"""Labels of an event; the proto says the same of a request."""

_LASTING = RUNNING | {event_pb.Status.open}
"""Statuses of what goes on."""

_OURS = tuple(
    field
    for field in event_pb.EventAttributes.desc().fields
    if field.number >= OUR_NUMBERS and field.name != "labels"
)
"""Attributes unknown to older clients, except labels."""

_IMPORTED = UUID("0199f0c2-b7d2-7a10-a0f3-c1d2e4b5a697")
"""Namespace of the ids that are derived from the content of events."""


def new_event(
    request: event_pb.CreateEventRequest,
    *,
    event_id: str,
    now: int,
    linked: event_pb.Event | None,
    created_by: str = "",
) -> event_pb.Event:
    """Return the event that a request creates at `now` (microseconds since the epoch).

    `linked` is the event that `attributes.related_id` names, `created_by` the id of the principal.
    """
    metadata = event_pb.EventMetadata(
        id=event_id, created_at=timestamp(now), slack_id=request.slack_id, created_by=created_by or None
    )
    event = event_pb.Event(
        title=request.title,
        attributes=_normalised(request.attributes or event_pb.EventAttributes()),
        links=request.links or event_pb.EventLinks(),
        metadata=metadata,
    )
    if request.who and event.attributes is not None and not event.attributes.owner:
        event.attributes = copy.copy(event.attributes)
        event.attributes.owner = request.who
    _require_order(event)
    metadata.duration = _duration(event, before=None, linked=linked, now=now)
    metadata.elapsed = _elapsed(event, None, now)
    event.changelog = [changelog.created(event, now, request.who)]
    return event


def in_trace(event: event_pb.Event, trace_id: str) -> event_pb.Event:
    """Return an event as a part of a trace, if there is one and the event names none."""
    if not trace_id or attributes_of(event).trace_id:
        return event
    traced = copy.copy(event)
    traced.attributes = copy.copy(attributes_of(event))
    traced.attributes.trace_id = trace_id
    return traced


def violation(event: event_pb.Event) -> FieldViolation | None:
    """Return which field of an event to be imported is missing or wrong, or None.

    One with an id was recorded before: an update may have cleared its service or type, and its end may be
    before its start.
    """
    attributes = attributes_of(event)
    if not metadata_of(event).id:
        if not attributes.service:
            return FieldViolation("attributes.service", "attributes.service is required")
        if not attributes.type:
            types = ", ".join(value.name for value in event_pb.Type.desc().values if value.number)
            return FieldViolation("attributes.type", f"attributes.type is required: one of {types}")
        if (inverted := _inverted(attributes)) is not None:
            return inverted
    if attributes.external_id and not attributes.source:
        text = "attributes.source is required where attributes.external_id is given"
        return FieldViolation("attributes.source", text)
    return None


def imported_event(event: event_pb.Event, now: int, principal: Principal) -> event_pb.Event:
    """Return the event to store for one that a principal imports at `now`.

    One without an id, which was never recorded, gets one that is derived from its content, and the time
    between its dates as its duration unless it has one.
    """
    imported = copy.copy(event)
    imported.clear_field("changelog_total")
    imported.attributes = _normalised(attributes_of(event))
    imported.links = event.links or event_pb.EventLinks()
    imported.metadata = metadata = copy.copy(metadata_of(event))
    if not metadata.id and metadata.duration is None:
        metadata.duration = _between_dates(imported.attributes)
    metadata.id = event_key(metadata.id or str(uuid5(_IMPORTED, event.to_json()))).value
    metadata.created_at = metadata.created_at or timestamp(now)
    if not principal.may(Permission.ACCESS_MANAGE):
        metadata.clear_field("created_by")
        if not principal.is_anonymous:
            metadata.created_by = principal.id
    return with_elapsed(imported_changelog(imported, principal))


def imported_changelog(event: event_pb.Event, principal: Principal) -> event_pb.Event:
    """Return an event with its changelog as a principal may import it.

    Who manages access may say who did what before; others are the authors of what they import.
    """
    if principal.may(Permission.ACCESS_MANAGE) or not event.changelog:
        return event
    event = copy.copy(event)
    event.changelog = [
        changelog.signed_entry(entry, principal, entry.claimed_user or entry.user)
        for entry in event.changelog
    ]
    return event


def with_elapsed(event: event_pb.Event) -> event_pb.Event:
    """Return an event with how long it took, as far as it says so, if it was stored without that."""
    attributes, metadata, end = attributes_of(event), metadata_of(event), event_end(event)
    if metadata.elapsed is not None:
        return event
    if end is None and metadata.duration is not None and not attributes.related_id:
        end = event_time(event) + duration_micros(metadata.duration)
    elif end is None and attributes.status in FINISHED:
        end = changelog.status_since(event)
    elapsed = _until(event, end)
    if elapsed is None:
        return event
    event = copy.copy(event)
    event.metadata = copy.copy(metadata)
    event.metadata.elapsed = elapsed
    return event


def updated_event(
    before: event_pb.Event, request: event_pb.UpdateEventRequest, now: int, linked: event_pb.Event | None
) -> event_pb.Event:
    """Return an event as a request changes it, with a changelog entry for every field that changed.

    An absent title, `attributes`, `links` or Slack id leaves the stored one. A present message replaces the
    whole stored one, except attributes that older clients do not know; with `merge`, field by field.
    """
    event = copy.copy(before)
    event.title = request.title or before.title
    event.links = request.links or before.links or event_pb.EventLinks()
    event.metadata = copy.copy(metadata_of(before))
    event.metadata.slack_id = request.slack_id or event.metadata.slack_id
    if request.merge and before.links is not None:
        event.links = _merged(before.links, event.links)
    if request.attributes is not None:
        given = request.attributes
        if request.merge:
            given = _merged(attributes_of(before), given)
            if request.attributes.end_date is None and _goes_on(before, given, now):
                given.end_date = None
        event.attributes = _normalised(_over(before, given))
        if event.attributes.related_id == event.metadata.id:
            raise invalid(FieldViolation("attributes.related_id", "an event can't be linked to itself"))
        if _dates(event) != _dates(before):
            _require_order(event)
        event.metadata.duration = _duration(event, before=before, linked=linked, now=now)
        event.metadata.elapsed = _elapsed(event, before, now)
    event.changelog = [*before.changelog, *changelog.differences(before, event, now, request.who)]
    return event


def merged_event(
    before: event_pb.Event, request: event_pb.CreateEventRequest, now: int, linked: event_pb.Event | None
) -> event_pb.Event:
    """Return a stored event merged with a request to create it: fields that are given replace stored ones."""
    names = ("title", "attributes", "links", "slack_id", "who")
    given = {name: getattr(request, name) for name in names}
    return updated_event(before, event_pb.UpdateEventRequest(**given, merge=True), now, linked)


def _over(before: event_pb.Event, attributes: event_pb.EventAttributes) -> event_pb.EventAttributes:
    """Return the attributes of an update, with the stored ones that older clients do not know."""
    stored = attributes_of(before)
    attributes = copy.copy(attributes)
    attributes.labels = _labels(before, attributes)
    for field in _OURS:
        attributes[field] = attributes[field] or stored[field]
    if attributes.external_id:
        attributes.source = attributes.source or stored.source
    if attributes.external_id and not attributes.source:
        text = "attributes.source is required with attributes.external_id"
        raise invalid(FieldViolation("attributes.source", text))
    return attributes


def _labels(before: event_pb.Event, attributes: event_pb.EventAttributes) -> dict[str, str]:
    """Return the labels of an event with those of a request; an empty value removes one."""
    labels = attributes_of(before).labels | attributes.labels
    if sum(map(bool, labels.values())) > MAX_LABELS:
        text = f"an event has up to {MAX_LABELS} labels, not {len(labels)}"
        raise invalid(FieldViolation("attributes.labels", text))
    return labels


def _merged(stored: _Message, given: _Message) -> _Message:
    """Return a stored message with the fields that are set in another."""
    merged = copy.copy(stored)
    for field in type(given).desc().fields:
        if given[field]:
            merged[field] = given[field]
    return merged


def _normalised(attributes: event_pb.EventAttributes) -> event_pb.EventAttributes:
    """Return attributes as they are stored: ids in canonical text, no label without a value."""
    if not attributes.related_id and all(attributes.labels.values()):
        return attributes
    attributes = copy.copy(attributes)
    if attributes.related_id:
        attributes.related_id = event_key(attributes.related_id).value
    attributes.labels = {name: value for name, value in attributes.labels.items() if value}
    return attributes


def _duration(
    event: event_pb.Event, *, before: event_pb.Event | None, linked: event_pb.Event | None, now: int
) -> Duration | None:
    """Return the duration of an event as the Go implementation has it, or None while that is unknown.

    That is the time since the event that it links to; else from its start date to its end date; else from its
    start date or creation to the moment when it got a final status.
    """
    attributes = attributes_of(event)
    stored = metadata_of(before).duration if before is not None else None
    if linked is not None:
        return duration(max(0, event_time(event) - event_time(linked)))
    if attributes.related_id:
        return stored
    between = _between_dates(attributes)
    if between is not None:
        return between
    if attributes.status not in FINISHED:
        return None
    ended_before = before is not None and attributes_of(before).status in FINISHED
    if ended_before or (before is None and attributes.start_date is None):
        return stored
    return duration(max(0, now - event_time(event)))


def _elapsed(event: event_pb.Event, before: event_pb.Event | None, now: int) -> Duration | None:
    """Return how long an event itself took, or None while that is unknown.

    It lasts from its start date or creation to its end date, or to the moment when it got a final status.
    """
    attributes, end = attributes_of(event), event_end(event)
    if end is None and attributes.status in FINISHED:
        if before is None:  # one that links to another may only report the end of that
            end = None if attributes.start_date is None or attributes.related_id else now
        elif attributes_of(before).status not in FINISHED:
            end = now
        elif (elapsed := metadata_of(before).elapsed) is not None:
            end = event_time(before) + duration_micros(elapsed)
    return _until(event, end)


def _until(event: event_pb.Event, end: int | None) -> Duration | None:
    """Return the time of an event up to its end; None if it was recorded after that, with no start."""
    start = event_time(event)
    if end is None or (end < start and attributes_of(event).start_date is None):
        return None
    return duration(max(0, end - start))


def _goes_on(before: event_pb.Event, attributes: event_pb.EventAttributes, now: int) -> bool:
    """Return whether an event that was over goes on, as when a pipeline runs again, but its end is past."""
    if attributes.status not in _LASTING or attributes_of(before).status not in FINISHED:
        return False
    end = attributes.end_date
    return end is not None and (micros(end) <= now or _inverted(attributes) is not None)


def _dates(event: event_pb.Event) -> tuple[Timestamp | None, Timestamp | None]:
    attributes = attributes_of(event)
    return attributes.start_date, attributes.end_date


def _require_order(event: event_pb.Event) -> None:
    """Refuse an event that ends before it starts."""
    if (inverted := _inverted(attributes_of(event))) is not None:
        raise invalid(inverted)


def _inverted(attributes: event_pb.EventAttributes) -> FieldViolation | None:
    start, end = attributes.start_date, attributes.end_date
    if start is None or end is None or micros(start) <= micros(end):
        return None
    text = f"the event ends before it starts: {shown(end)} is before {shown(start)}"
    return FieldViolation("attributes.end_date", text)


def _between_dates(attributes: event_pb.EventAttributes) -> Duration | None:
    """Return the time from the start date of an event to its end date, where it has both."""
    start, end = attributes.start_date, attributes.end_date
    return None if start is None or end is None else duration(max(0, micros(end) - micros(start)))
