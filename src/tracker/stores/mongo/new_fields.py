"""Upgrades events that were stored before the protos declared a field: they lack its column, or its terms."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bson import ObjectId
from pymongo import UpdateOne

from tracker.domain.query.fields import FIELDS
from tracker.errors import TrackerError
from tracker.stores.mongo import event_records, writes

if TYPE_CHECKING:
    from collections.abc import Collection as Names
    from collections.abc import Iterator, Sequence

    from tracker.domain.query.fields import Field
    from tracker.stores.mongo.writes import Collection, Document

FIRST: Final = (
    *("service", "source", "type", "priority", "status", "environment", "impact", "related", "slack"),
    *("external_id", "duration", "owner", "version", "pull_request", "ticket", "stakeholder", "notified"),
)
"""Fields of the databases that don't say which fields they have."""

STORED: Final = tuple(field for field in FIELDS if field.path and (field.column or field.term))
"""Fields that are stored with events, as columns or among the terms."""

_AT_A_TIME = 1_000
"""Events that are read and changed together."""


async def fill_in(events: Collection, known: Names[str]) -> None:
    """Fill in the columns of fields that are not known yet, and drop terms that lack their values.

    An event is changed only if it is as it was read: several servers may do this at once, and what others
    change meanwhile stays. What has been filled in when this is cut off isn't looked at again.
    """
    new = [field for field in STORED if field.name not in known]
    columns = [field for field in event_records.COLUMNS if field in new]
    for field in columns:
        await _fill_in_column(events, field)
    names = "|".join(field.path[-1] for field in new if field.term)
    if names:
        have: Document = {"document": {"$regex": f'"({names})"'}, "terms": {"$ne": None}}
        await writes.update_all(events, have, {"$unset": {"terms": 1}})


async def _fill_in_column(events: Collection, field: Field) -> None:
    lacking: Document = {field.column: None, "document": {"$regex": f'"{field.path[-1]}"'}}
    after: Document = {}
    wanted = {"document": 1, "rev": 1}
    while rows := await events.find(lacking | after, wanted, sort=[("_id", 1)], limit=_AT_A_TIME).to_list():
        changes = [each for row in rows for each in _changes(row, [field])]
        if changes:
            await events.bulk_write(changes, ordered=False)
        after = {"_id": {"$gt": rows[-1]["_id"]}}


def _changes(row: Document, fields: Sequence[Field]) -> Iterator[UpdateOne]:
    """Yield the change of an event that has a value; one that can't be read stays as it is."""
    with suppress(TrackerError):
        values = event_records.columns(event_records.event_of(row), fields)
        if values:
            same = {"_id": row["_id"], "rev": row["rev"]}
            yield UpdateOne(same, {"$set": values | {"op": ObjectId()}, "$inc": {"rev": 1}})
