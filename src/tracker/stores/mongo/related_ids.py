"""What events of before lack: the field by which those that link to another one are found."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bson import ObjectId
from pymongo import UpdateOne

from tracker.domain.lifecycle import attributes_of
from tracker.errors import TrackerError
from tracker.stores.mongo import event_records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.stores.mongo.writes import Collection, Document

_AT_A_TIME = 1_000
"""Events that are read and changed together."""


async def fill_in(events: Collection) -> None:
    """Fill in the field where an event that links to another one lacks it.

    An event is changed only if it is as it was read: several servers may do this at once, and what others
    change meanwhile stays. What has been filled in when this is cut off isn't looked at again.
    """
    lacking: Document = {"related_id": None, "document": {"$regex": '"relatedId"'}}
    after: Document = {}
    wanted = {"document": 1, "rev": 1}
    while rows := await events.find(lacking | after, wanted, sort=[("_id", 1)], limit=_AT_A_TIME).to_list():
        changes = [each for row in rows for each in _changes(row)]
        if changes:
            await events.bulk_write(changes, ordered=False)
        after = {"_id": {"$gt": rows[-1]["_id"]}}


def _changes(row: Document) -> Iterator[UpdateOne]:
    """Give the change of an event that links to another one; one that can't be read stays as it is."""
    with suppress(TrackerError):
        related = event_records.related_field(attributes_of(event_records.event_of(row)).related_id)
        if related:
            same = {"_id": row["_id"], "rev": row["rev"]}
            yield UpdateOne(same, {"$set": related | {"op": ObjectId()}, "$inc": {"rev": 1}})
