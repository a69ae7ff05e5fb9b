"""Idempotency keys in MongoDB, and the changes that are made once for each.

The use of a key is written before its change, with the answer, and is undecided until the change is made
(`outbox.py`).
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pymongo.errors import DuplicateKeyError, PyMongoError

from tracker.errors import Reason, TrackerError
from tracker.stores.base import unavailable
from tracker.stores.idempotency import Answered, AnsweredBeforeError, KeyUnderWayError, is_over
from tracker.stores.mongo import outbox, writes
from tracker.stores.mongo.failures import change_error
from tracker.stores.mongo.outbox import undecided_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tracker.stores.idempotency import KeyUse, Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

T = TypeVar("T")

NAME = outbox.IDEMPOTENCY_KEYS
"""The collection."""


@dataclass(slots=True)
class Claim:
    """A change that is about to be made; `made` is its outcome."""

    made: bool = True


@dataclass(eq=False)
class MongoIdempotency:
    """The `IdempotencyStore` in MongoDB."""

    _database: Database

    async def find(self, key: str, now: int, *, also: str = "") -> Answered | None:
        where = {"$in": [key, also]} if also else key
        async with self._database.asking(NAME, change_error) as keys:
            stored = await keys.find_one({"_id": where}, sort=[("at", -1)] if also else None)
        if stored is None or is_over(stored["at"], now):
            return None
        return await self._database.run(lambda: _answered(self._database, stored))

    async def remember(self, use: KeyUse, answer: bytes) -> None:
        await self._database.run(lambda: _take(self._database, use, {"answer": answer}))


@asynccontextmanager
async def claimed(
    database: Database, once: Once[T] | None, made: T, decider: tuple[str, str], change: Document
) -> AsyncIterator[Claim]:
    """Claim the key of a change that leads to `made`; undo what was written before it if it is not made.

    `decider` is the collection and id of the document that decides the change, and `change` the entry
    for its outbox. After an exception inside, the change was not made, unless its outcome is unknown.

    Raises:
        AnsweredBeforeError: The key has been used.
        KeyUnderWayError: It may be in use.
    """
    claim, undecided = Claim(), outbox.waiting(change, *decider)
    try:
        if once is not None:
            await _take(database, once.use, {"answer": once.answer(made), "outbox": [undecided]})
            outbox.confirming(change, NAME, once.use.key)
        yield claim
    except Exception as error:
        if not isinstance(error, TrackerError) or error.reason is not Reason.STORE_OUTCOME_UNKNOWN:
            with suppress(TrackerError, PyMongoError):  # the reconciler finds what remains
                if "confirms" in change and not await outbox.is_made(database, undecided):
                    await outbox.undo_all(database, change)
        if isinstance(error, DuplicateKeyError):
            raise unavailable("the change took too long and was abandoned") from None
        raise
    if not claim.made:
        await outbox.undo_all(database, change)


async def put(  # noqa: PLR0913, PLR0917 - what is changed, and what is remembered of it
    database: Database,
    once: Once[T] | None,
    made: T,
    collection: str,
    before: Document | None,
    after: Document,
    change: Document,
) -> Document | None:
    """Claim a key for a change, and make it as `writes.put` does; return the new document, or None.

    `change` is the entry for its outbox.
    """
    async with claimed(database, once, made, (collection, after["_id"]), change) as claim:
        after |= outbox.carried(before, change)
        claim.made = await writes.put(database.newest(collection), before, after)
    return after if claim.made else None


async def _take(database: Database, use: KeyUse, fields: Document) -> None:
    """Store the use of a key that is unused, or whose earlier use is over."""
    keys = database.newest(NAME)
    new = {"_id": use.key, "request": use.request, "at": use.at, **fields}
    while not await writes.put(keys, None, new):
        stored = await keys.find_one({"_id": use.key})
        if stored is None:
            continue
        if not is_over(stored["at"], use.at):
            raise AnsweredBeforeError(await _answered(database, stored))
        if await writes.replace(keys, stored, new):
            return


async def _answered(database: Database, stored: Document) -> Answered:
    """Return what a key was used for.

    Raises:
        KeyUnderWayError: It is claimed, and its change not made, or not yet.
    """
    for entry in undecided_of(stored):
        if await outbox.is_made(database, entry):
            await outbox.confirm(database, NAME, stored["_id"], entry["op"])
        else:
            again = await database.newest(NAME).find_one({"_id": stored["_id"]})
            if again is None or undecided_of(again):
                raise KeyUnderWayError
            stored = again
    return Answered(stored["request"], stored["answer"])
