"""The terms stored with each event: the words of its title and message, and the values of fields.

An event without terms has too many of them, or was stored by an earlier version: it may match any query. An
event with terms is stored with its duration too, if it has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracker.domain.events import attributes_of
from tracker.domain.query import fields
from tracker.domain.query.matching import words
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.stores.documents import parse
from tracker.stores.mongo import writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query.fields import Field
    from tracker.stores.mongo.writes import Collection, Document

MOST_TERMS: Final = 256
"""Different terms of an event up to which they are kept."""

TOO_MANY: Final = ""
"""Stands for all terms of an event that has too many."""


_VALUES: Final = tuple(field for field in fields.TERMS if not field.column)
"""Fields whose values are among the terms, in addition to labels: those without a column."""


def kept_of(event: event_pb.Event) -> Document:
    """Return what is stored with an event: its terms, and its duration in microseconds."""
    duration = fields.DURATION.number(event)
    return {"terms": _terms(event), **({} if duration is None else {"duration": duration})}


def _terms(event: event_pb.Event) -> Sequence[str]:
    attributes = attributes_of(event)
    different = {*words(event.title), *words(attributes.message)}
    for field in (*_VALUES, *map(fields.label, attributes.labels)):
        different.update(value_term(field, text) for text in field.texts(event))
    return sorted(different) if len(different) <= MOST_TERMS else [TOO_MANY]


def value_term(field: Field, text: str) -> str:
    """Return the term of a value: no word begins like that."""
    return f"={field.name}={text}"


async def fill_in(events: Collection, stored: Document) -> None:
    """Store the terms of an event, unless it has changed since it was read.

    An unreadable event stays a candidate: searches report it.
    """
    try:
        kept = kept_of(parse(event_pb.Event, stored["_id"], stored["document"]))
    except TrackerError:
        kept = {"terms": [TOO_MANY]}
    same: Document = {"_id": stored["_id"], "rev": stored["rev"]}
    await writes.update(events, same, {"$set": kept})
