"""Durable changes of single documents, whose commands can be repeated safely.

Every document has a revision, `rev`, which each change raises by one, and the id of its last change, `op`. A
change names the revision that it replaces: of several concurrent ones, one succeeds. If an answer is lost, or
the primary changes, the command is repeated in a form that matches the document before and after the change,
and writes in either case: once a majority confirms that write, the change is confirmed too. The driver's own
retries are off: not every server that speaks the protocol has them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from bson import ObjectId
from pymongo.errors import (
    BulkWriteError,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from tracker.stores.mongo.failures import Fate, fate_of, store_error, unknown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pymongo.asynchronous.collection import AsyncCollection

T = TypeVar("T")

Document: TypeAlias = dict[str, Any]
"""A document as the database keeps it: what its fields hold is known where they are written."""

if TYPE_CHECKING:
    Collection: TypeAlias = AsyncCollection[Document]

_DUPLICATE_KEY = 11000

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 0.8, 0.8, 0.8, 0.8)
"""Seconds between tries."""


def without(document: Document, *names: str) -> Document:
    """Return a document without some fields."""
    return {name: value for name, value in document.items() if name not in names}


async def insert(collection: Collection, document: Document) -> None:
    """Store a document that is new.

    Raises:
        DuplicateKeyError: Another one has its id, or what else must be unique.
        TrackerError: UNAVAILABLE.
    """
    new = document | {"rev": 1, "op": ObjectId()}

    async def attempt(number: int) -> None:
        if number and await _confirm(collection, new, number):
            return
        try:
            await collection.insert_one(new)
        except DuplicateKeyError:
            if not number:
                raise
            # An earlier try may have come through only after it was looked for, and been changed since.
            if not await _confirm(collection, new, number):
                if await _was_ours(collection, new):
                    raise unknown() from None
                raise

    await until_certain(attempt)


async def insert_all(collection: Collection, documents: Sequence[Document]) -> Sequence[int]:
    """Store those of many documents that are new, and unique where they must be; return the others' places.

    Their ids may repeat: of two, the first is stored.

    Raises:
        TrackerError: UNAVAILABLE.
    """
    new = [document | {"rev": 1, "op": ObjectId()} for document in documents]
    where = {"_id": {"$in": [each["_id"] for each in new]}, "op": {"$in": [each["op"] for each in new]}}

    async def attempt(number: int) -> Sequence[int]:
        stored: set[ObjectId] = set()
        if number:
            await collection.update_many(where, {"$set": {"tries": number}})  # confirms what has come through
            stored = {row["op"] for row in await collection.find(where, {"op": 1}).to_list()}
        left = [place for place, each in enumerate(new) if each["op"] not in stored]
        try:
            if left:
                await collection.insert_many([new[place] for place in left], ordered=False)
        except BulkWriteError as error:
            return [left[place] for place in _duplicates(error)]
        return []

    return await until_certain(attempt)


async def replace(collection: Collection, before: Document, after: Document) -> bool:
    """Put a document in the place of the one it was made from; return whether that was still there.

    Raises:
        DuplicateKeyError: Another one has what must be unique.
        TrackerError: UNAVAILABLE.
    """
    new = after | {"_id": before["_id"], "rev": before["rev"] + 1, "op": ObjectId()}

    async def attempt(number: int) -> bool:
        if number and await _confirm(collection, new, number):
            return True
        result = await collection.replace_one({"_id": before["_id"], "rev": before["rev"]}, new)
        if not result.matched_count and number and await _was_ours(collection, new):
            raise unknown()
        return result.matched_count > 0

    return await until_certain(attempt)


async def put(collection: Collection, before: Document | None, after: Document) -> bool:
    """Replace a document, or insert one where `before` is not stored; return False if another came first."""
    try:
        if before is not None and "rev" in before:
            return await replace(collection, before, after)
        await insert(collection, after)
    except DuplicateKeyError:
        return False
    return True


async def delete(collection: Collection, where: Document) -> bool:
    """Delete the document of an id (and revision, if given); return whether there was one."""

    async def attempt(number: int) -> bool:
        result = await collection.delete_one(where)
        if result.deleted_count or not number:
            return result.deleted_count > 0
        # An earlier try may have deleted it. If it is there, with another revision, none has.
        return await collection.find_one({"_id": where["_id"]}, {"_id": 1}) is None

    return await until_certain(attempt)


async def delete_all(collection: Collection, where: Document) -> None:
    """Delete all documents that match."""
    await until_certain(lambda _: collection.delete_many(where))


async def update_all(collection: Collection, where: Document, change: Document) -> None:
    """Apply an idempotent change to all documents that match."""
    await until_certain(lambda _: collection.update_many(where, change))


async def update(collection: Collection, where: Document, change: Document, *, upsert: bool = False) -> None:
    """Apply an idempotent change to the document that matches.

    If there is none, insert one with `upsert`; otherwise change nothing.
    """

    async def attempt(_: int) -> None:
        try:
            await collection.update_one(where, change, upsert=upsert)
        except DuplicateKeyError:  # of two that found none, one has made it
            await collection.update_one(where, change)

    await until_certain(attempt)


def _duplicates(error: BulkWriteError) -> Sequence[int]:
    """Return which documents of a bulk were not unique, by place.

    Raises:
        PyMongoError: Something else went wrong, too.
    """
    details = error.details
    if details.get("writeConcernErrors"):
        raise WriteConcernError(str(error), error.code, details) from error
    for each in details["writeErrors"]:
        if each["code"] != _DUPLICATE_KEY:
            raise OperationFailure(each["errmsg"], each["code"], each) from error
    return [each["index"] for each in details["writeErrors"]]


async def _confirm(collection: Collection, new: Document, number: int) -> bool:
    """Write again what an earlier attempt may have written; return whether it had."""
    where = {"_id": new["_id"], "rev": new["rev"], "op": new["op"]}
    return (await collection.replace_one(where, new | {"tries": number})).matched_count > 0


async def _was_ours(collection: Collection, new: Document) -> bool:
    """Return whether an earlier try may have been made and replaced since."""
    stored = await collection.find_one({"_id": new["_id"]}, {"rev": 1, "op": 1})
    return stored is None or stored["rev"] > new["rev"] or stored["op"] == new["op"]


async def until_certain(attempt: Callable[[int], Awaitable[T]]) -> T:
    """Try until the outcome is known, or the time is up.

    `attempt` takes the number of earlier tries that may have been made without an answer.
    """
    maybe = 0
    for pause in (*_PAUSES, None):
        try:
            return await attempt(maybe)
        except DuplicateKeyError:
            raise
        except PyMongoError as failure:
            fate = fate_of(failure)
            if fate in (Fate.MAYBE, Fate.MAYBE_FOR_GOOD):
                maybe += 1
            if fate in (Fate.NEVER, Fate.MAYBE_FOR_GOOD) or pause is None:
                raise (unknown() if maybe else store_error(failure)) from failure
        await asyncio.sleep(pause)
    raise AssertionError  # the last try has answered or raised
