"""The documents of events.

A document has an event, its `terms` and `duration` (`event_terms.py`), its `outbox` (`outbox.py`) and the
`notes`: ids of the last outbox entries that appended to its changelog (`deliveries.py`). An event that was
deleted, or must not be created, is replaced by a document with `tombstone`, the time.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from pymongo.errors import DuplicateKeyError

from tracker.domain.events import (
    EventId,
    ExternalId,
    SlackId,
    event_end,
    event_time,
    external_id,
)
from tracker.domain.query.fields import FIELDS, Kind
from tracker.pb import event_pb
from tracker.stores.documents import parse
from tracker.stores.events import (
    ExternalIdTakenError,
    SlackIdTakenError,
)
from tracker.stores.mongo import writes
from tracker.stores.mongo.event_terms import kept_of
from tracker.stores.mongo.failures import unavailable
from tracker.stores.mongo.outbox import carried

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.domain.events import EventKey
    from tracker.domain.query.fields import Field
    from tracker.stores.events import Added
    from tracker.stores.mongo.writes import Collection, Document
    from tracker.stores.pages import Cursor

NAME = "events"
"""The collection."""

_BY_SLACK_ID = "events_by_slack_id"

COLUMNS: Final = tuple(
    field for field in FIELDS if field.indexed or (field.column and field.kind in {Kind.CHOICE, Kind.FLAG})
)
"""Fields that are stored with an event as columns."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event_id(event: event_pb.Event) -> str:
    """Return an event's id."""
    return event.metadata.id if event.metadata is not None else ""


def event_of(stored: Document) -> event_pb.Event:
    """Return the event in a document."""
    return parse(event_pb.Event, stored["_id"], stored["document"])


def fields(event: event_pb.Event) -> Document:
    """Return the fields of the document of an event."""
    time, end = event_time(event), event_end(event)
    external = external_id(event)
    day = _EPOCH + timedelta(microseconds=time)
    return {
        **columns(event, COLUMNS),
        **({} if external is None else {"external_key": _external_key(external)}),
        "time": time,
        "month": day.year * 12 + day.month - 1,
        **({} if end is None else {"end_time": end}),
        **kept_of(event),
        "document": event.to_json(),
    }


def columns(event: event_pb.Event, fields: Iterable[Field]) -> Document:
    """Return the columns of an event for some of `COLUMNS`; sparse indexes lack empty values."""
    return {field.column: value for field in fields if (value := field.value(event)) or not field.selective}


def condition(key: EventKey) -> Document:
    """Return the condition for the document of a key; a tombstone may have an id, never another key."""
    match key:
        case EventId(value):
            return {"_id": value}
        case SlackId(value):
            return {"slack_id": value}
        case ExternalId():
            return {"external_key": _external_key(key)}


def _external_key(external: ExternalId) -> str:
    """Return one text for both parts: a sparse index over two fields would have all events that have one."""
    return json.dumps([external.source, external.value])


async def insert(events: Collection, event: event_pb.Event, change: Document) -> Document:
    """Store a new event and return its document; `change` is the entry for its outbox.

    Raises:
        SlackIdTakenError: Another event has its Slack id.
        ExternalIdTakenError: Another event has its external id.
    """
    new = new_document(event, change)
    try:
        await writes.insert(events, new)
    except DuplicateKeyError as error:
        raise await _taken(events, event, error) from error
    return new


def new_document(event: event_pb.Event, change: Document) -> Document:
    """Return the document of a new event, with an entry in its outbox."""
    return {"_id": event_id(event), **fields(event), **carried(None, change)}


async def insert_new(
    events: Collection, new: Sequence[event_pb.Event], documents: Sequence[Document]
) -> Sequence[Added]:
    """Store those events, whose documents are given, that are new.

    Raises:
        TrackerError: UNAVAILABLE, or an event that is in the way is just being deleted.
    """
    refused = await writes.insert_all(events, documents)
    ids = [event_id(new[place]) for place in refused]
    rows = await events.find({"_id": {"$in": ids}}, {"tombstone": 1}).to_list() if refused else []
    there = {row["_id"]: "tombstone" in row for row in rows}
    outcomes: list[Added] = [True] * len(new)
    for place, error in refused.items():
        event = new[place]
        deleted = there.get(event_id(event))
        if deleted:
            raise unavailable(f"the event {event_id(event)} is being deleted")
        outcomes[place] = False if deleted is False else await _whose(events, event, error)
    return outcomes


async def replace(
    events: Collection, stored: Document, event: event_pb.Event, change: Document
) -> Document | None:
    """Replace a stored event and return its document, or None if it has changed meanwhile.

    `change` is the entry for its outbox.

    Raises:
        SlackIdTakenError: Another event has its Slack id.
        ExternalIdTakenError: Another event has its external id.
    """
    notes = {"notes": stored["notes"]} if "notes" in stored else {}
    new = {"_id": stored["_id"], **fields(event), **notes, **carried(stored, change)}
    try:
        return new if await writes.replace(events, stored, new) else None
    except DuplicateKeyError as error:
        raise await _taken(events, event, error) from error


def cursor(event: event_pb.Event) -> Cursor:
    """Return where an event stands in a list of events."""
    return (event_time(event), event_id(event))


async def _whose(events: Collection, event: event_pb.Event, error: DuplicateKeyError) -> Added:
    """Return whose the Slack or external id of an event is.

    Raises:
        TrackerError: UNAVAILABLE: that of another one, which has just been deleted.
    """
    taken = await _taken(events, event, error)
    if not isinstance(taken, (SlackIdTakenError, ExternalIdTakenError)):
        raise unavailable(f"the event that had an id of {event_id(event)} was just deleted")
    return taken


async def _taken(events: Collection, event: event_pb.Event, error: DuplicateKeyError) -> Exception:
    """Return what a broken uniqueness means: an external or Slack id of another event, or a taken id."""
    external = external_id(event)
    if external is not None:
        where = condition(external) | {"_id": {"$ne": event_id(event)}}
        other = await events.find_one(where, {"_id": 1})
        if other is not None:
            return ExternalIdTakenError(external, other["_id"])
    if event.metadata is not None and event.metadata.slack_id:
        where = {"slack_id": event.metadata.slack_id, "_id": {"$ne": event_id(event)}}
        holder = await events.find_one(where, {"_id": 1}, hint=_BY_SLACK_ID)
        if holder is not None:
            return SlackIdTakenError(event.metadata.slack_id, holder["_id"])
    return error
