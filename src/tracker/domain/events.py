"""Rules of events: what identifies one, and when it happened."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from tracker.domain.times import micros

if TYPE_CHECKING:
    from tracker.pb import event_pb

_UUID = re.compile(
    r"(?:urn:uuid:)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class EventId:
    """Identifies an event by its id, a UUID in canonical lower-case text."""

    value: str


@dataclass(frozen=True, slots=True)
class SlackId:
    """Identifies an event by its Slack id, any text that is not a UUID."""

    value: str


@dataclass(frozen=True, slots=True)
class ExternalId:
    """Identifies an event by its id at its source."""

    source: str
    value: str


EventKey: TypeAlias = EventId | SlackId | ExternalId


def external_id(event: event_pb.Event) -> ExternalId | None:
    """Return the external id of an event, or None."""
    attributes = event.attributes
    if attributes is None or not attributes.external_id:
        return None
    return ExternalId(attributes.source, attributes.external_id)


def event_key(text: str) -> EventId | SlackId:
    """Return the key for the `{id}` of a client: a UUID is an id, anything else a Slack id."""
    if _UUID.fullmatch(text):
        return EventId(text.lower().removeprefix("urn:uuid:"))
    return SlackId(text)


def event_time(event: event_pb.Event) -> int:
    """Return when an event happened, its start date or else its creation, in microseconds since the epoch."""
    attributes, metadata = event.attributes, event.metadata
    if attributes is not None and attributes.start_date is not None:
        return micros(attributes.start_date)
    if metadata is not None and metadata.created_at is not None:
        return micros(metadata.created_at)
    return 0


def event_end(event: event_pb.Event) -> int | None:
    """Return an event's end date in microseconds since the epoch, or None."""
    attributes = event.attributes
    if attributes is not None and attributes.end_date is not None:
        return micros(attributes.end_date)
    return None
