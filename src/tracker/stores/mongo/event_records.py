"""The documents of events.

A document has an event, its columns, terms and durations, the `history` of a long changelog
(`changelogs.py`), its `outbox` (`outbox.py`) and the `notes`: ids of the last outbox entries that appended to
its changelog (`deliveries.py`). An event that was deleted, or must not be created, is replaced by a document
with `tombstone`, the time.

The terms are the words of title and message, and the values of fields. An event without terms has too many
of them, or was stored by an earlier version: it may match any query. An event with terms is stored with its
duration too, if it has one.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

from pymongo.errors import DuplicateKeyError

from tracker.domain.events import (
    EventId,
    ExternalId,
    SlackId,
    attributes_of,
    event_end,
    event_id,
    event_time,
    external_id,
    metadata_of,
)
from tracker.domain.query.fields import FIELDS, TERMS, Kind, label
from tracker.domain.query.matching import words
from tracker.pb import event_pb
from tracker.stores.base import unavailable
from tracker.stores.documents import parse, read_event
from tracker.stores.events import COUNTED, ExternalIdTakenError, SlackIdTakenError
from tracker.stores.mongo import changelogs, writes
from tracker.stores.mongo.outbox import carried
from tracker.time_text import datetime_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.domain.events import EventKey
    from tracker.domain.query.fields import Field
    from tracker.stores.events import Added
    from tracker.stores.mongo.writes import Collection, Document

NAME = "events"
"""The collection."""

MOST_TERMS: Final = 256
"""Different terms of an event up to which they are kept."""

TOO_MANY: Final = ""
"""Stands for all terms of an event that has too many."""

COLUMNS: Final = tuple(
    field for field in FIELDS if field.indexed or (field.column and field.kind in {Kind.CHOICE, Kind.FLAG})
)
"""Fields that are stored with an event as columns."""

_VALUES: Final = tuple(field for field in TERMS if not field.column)
"""Fields whose values are among the terms, in addition to labels: those without a column."""

COUNTED_FIELDS: Final = tuple(sorted(COUNTED, key=lambda field: field.name))
"""`COUNTED` in the order in which their values are stored."""

Counted: TypeAlias = list[str | int]
"""What is counted of an event: its values of `COUNTED_FIELDS`, and its time."""

Values: TypeAlias = tuple[str | int, ...]
"""Values of `COUNTED_FIELDS`."""

Counts: TypeAlias = Counter[Values]
"""The number of events by these values."""

_DURATIONS: Final = tuple(field for field in FIELDS if field.kind is Kind.DURATION)


def event_of(stored: Document) -> event_pb.Event:
    """Return the event in a document, as it is answered."""
    return read_event(stored["_id"], stored["document"])


def whole_event_of(stored: Document) -> event_pb.Event:
    """Return the event in a document, as it is stored and changed."""
    return parse(event_pb.Event, stored["_id"], stored["document"])


def fields(event: event_pb.Event) -> Document:
    """Return the fields of the document of an event."""
    time, end = event_time(event), event_end(event)
    external = external_id(event)
    return {
        **columns(event, COLUMNS),
        **({} if external is None else {"external_key": _external_key(external)}),
        "time": time,
        "month": month_of(event),
        **({} if end is None else {"end_time": end}),
        **search_fields(event),
        "document": event.to_json(),
    }


def month_of(event: event_pb.Event) -> int:
    """Return the month (UTC) of an event's time, counted from year 0."""
    day = datetime_of(event_time(event))
    return day.year * 12 + day.month - 1


def columns(event: event_pb.Event, fields: Iterable[Field]) -> Document:
    """Return the columns of an event for some of `COLUMNS`; sparse indexes lack empty values."""
    return {field.column: value for field in fields if (value := field.value(event)) or not field.selective}


def search_fields(event: event_pb.Event) -> Document:
    """Return the terms of an event, and its durations."""
    attributes = attributes_of(event)
    terms = {*words(event.title), *words(attributes.message)}
    for field in (*_VALUES, *map(label, attributes.labels)):
        terms.update(value_term(field, text) for text in field.texts(event))
    return {"terms": sorted(terms) if len(terms) <= MOST_TERMS else [TOO_MANY], **durations(event)}


def durations(event: event_pb.Event) -> Document:
    """Return the durations of an event, in microseconds."""
    return {field.column: length for field in _DURATIONS if (length := field.number(event)) is not None}


def value_term(field: Field, text: str) -> str:
    """Return the term of a value: no word begins like that."""
    return f"={field.name}={text}"


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
        raise await _taken(events, event) or error from error
    return new


def new_document(event: event_pb.Event, change: Document) -> Document:
    """Return the document of a new event, with an entry in its outbox."""
    event, history = changelogs.divide(None, None, event, change)
    of_event = fields(event)
    return {"_id": event_id(event), **of_event, **history, **carried(None, _counting(change, None, of_event))}


async def insert_new(
    events: Collection, new: Sequence[event_pb.Event], documents: Sequence[Document]
) -> Sequence[Added]:
    """Store those events, whose documents are given, that are new.

    Raises:
        TrackerError: UNAVAILABLE, or an event that is in the way is just being deleted.
    """
    refused = await writes.insert_all(events, documents)
    ids = [event_id(new[place]) for place in refused]
    wanted = ("tombstone", "rev", "outbox.op")
    rows = await events.find({"_id": {"$in": ids}}, dict.fromkeys(wanted, 1)).to_list() if refused else []
    there = {row["_id"]: row for row in rows}
    outcomes: list[Added] = [True] * len(new)
    for place, of_event in zip(refused, ids, strict=True):
        row = there.get(of_event)
        is_deleted = row is not None and "tombstone" in row
        if row is not None and is_deleted and await _put_back(events, row, documents[place]):
            there[of_event] = {}  # of two with one id, the first is stored
            continue
        outcome = False if row is not None and not is_deleted else await _taken(events, new[place])
        if outcome is None:
            raise unavailable(f"the event that had an id of {of_event} was just deleted")
        outcomes[place] = outcome
    return outcomes


async def _put_back(events: Collection, tombstone: Document, document: Document) -> bool:
    """Store an event in place of its tombstone; return False if one of its other ids is taken.

    Raises:
        TrackerError: UNAVAILABLE, while its deletion still has to be reported.
    """
    try:
        if "outbox" not in tombstone and await writes.replace(events, tombstone, document):
            return True
    except DuplicateKeyError:
        return False
    raise unavailable(f"the event {tombstone['_id']} is being deleted")


async def replace(
    events: Collection, stored: Document, event: event_pb.Event, history: Document, change: Document
) -> Document | None:
    """Replace a stored event and return its document, or None if it has changed meanwhile.

    Event and `history` are those of `changelogs.divide`; `change` is the entry for its outbox.

    Raises:
        SlackIdTakenError: Another event has its Slack id.
        ExternalIdTakenError: Another event has its external id.
    """
    notes = {"notes": stored["notes"]} if "notes" in stored else {}
    of_event = fields(event)
    outbox = carried(stored, _counting(change, stored, of_event))
    new = {"_id": stored["_id"], **of_event, **history, **notes, **outbox}
    try:
        return new if await writes.replace(events, stored, new) else None
    except DuplicateKeyError as error:
        raise await _taken(events, event) or error from error


def counted(stored: Document) -> Counted:
    """Return what is counted of an event's document."""
    values = (
        stored.get(field.column) or ("" if field.kind is Kind.KEYWORD else 0) for field in COUNTED_FIELDS
    )
    return [*values, stored["time"]]


def _counting(change: Document, before: Document | None, after: Document) -> Document:
    """Return the outbox entry of a change, whose log entry gets what is counted before and after it."""
    (entry,) = change["log"]
    parts = [None if before is None else counted(before), counted(after)]
    return change | {"log": [entry | {"counted": parts}]}


async def _taken(
    events: Collection, event: event_pb.Event
) -> SlackIdTakenError | ExternalIdTakenError | None:
    """Return which external or Slack id of an event another one has."""
    others, external = {"_id": {"$ne": event_id(event)}}, external_id(event)
    if external is not None:
        other = await events.find_one(condition(external) | others, {"_id": 1})
        if other is not None:
            return ExternalIdTakenError(external, other["_id"])
    if slack_id := metadata_of(event).slack_id:
        other = await events.find_one({"slack_id": slack_id} | others, {"_id": 1}, hint="events_by_slack_id")
        if other is not None:
            return SlackIdTakenError(slack_id, other["_id"])
    return None
