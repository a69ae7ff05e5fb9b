"""Idempotency keys in MongoDB.

A key and the change that it is used for are two documents. So the key is claimed first, with what will be
answered; then the change is made, and notes the key in the document that it changes, in the change itself;
then the answer is confirmed, in the document of the key. Whoever finds a claim looks for the note, which says
whether the change was made. The janitor confirms, or gives up, the claims that were left.

In each collection a key is noted once, which a unique index sees to, and a note outlasts the time that a
change may take: one that comes late is not made beside the one that took its place.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bson import ObjectId
from pymongo.errors import DuplicateKeyError, PyMongoError

from tracker.domain.idempotency import forgotten_until, is_over
from tracker.domain.times import MICROS
from tracker.errors import Reason, TrackerError
from tracker.stores.idempotency import Answered, AnsweredBeforeError, KeyUnderWayError
from tracker.stores.mongo import writes
from tracker.stores.mongo.failures import unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tracker.stores.idempotency import KeyUse, Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.writes import Collection, Document

T = TypeVar("T")

NAME = "idempotency_keys"
"""The collection."""

_NOTED_SECONDS = 60
"""How long a note is kept: twice what a claim is, which is confirmed or given up by then."""


@dataclass(slots=True)
class Claim:
    """A change that is about to be made: its document is to hold `notes`; `made` says what came of it."""

    notes: Document
    made: bool = True


class MongoIdempotency:
    """The `IdempotencyStore` in MongoDB, and what notes keys in the documents that changes change."""

    def __init__(self, connections: Connections, changes: Changes, now: Callable[[], int]) -> None:
        self._connections = connections
        self._changes = changes
        self._now = now

    async def find(self, key: str, now: int) -> Answered | None:
        """Return what a key was used for."""
        async with self._connections.asking():
            stored = await self._connections.confirmed(NAME).find_one({"_id": key})
        if stored is None or is_over(stored["at"], now):
            return None
        return await self._changes.run(lambda: self._answered(stored))

    async def remember(self, use: KeyUse, answer: bytes) -> None:
        """Remember an answer."""
        await self._changes.run(lambda: self._take(use, {"answer": answer}))

    @asynccontextmanager
    async def claimed(
        self, once: Once[T] | None, made: T, name: str, stored: Document | None = None
    ) -> AsyncIterator[Claim]:
        """Claim the key of a change that leads to `made`, by changing or making a document of a collection.

        An exception inside says that the change was not made, unless its outcome is unknown.

        Raises:
            AnsweredBeforeError: The key has been used.
            KeyUnderWayError: It may be in use.
        """
        noted = {} if stored is None or "keys" not in stored else {"keys": stored["keys"]}
        if once is None:
            yield Claim(noted)
            return
        key, op, now = once.use.key, ObjectId(), self._now()
        claimed = {"op": op, "at": now, "in": name, "answer": once.answer(made)}
        await self._take(once.use, {"claim": claimed})
        claim = Claim({"keys": [*noted.get("keys", ()), {"key": key, "op": op, "at": now}]})
        try:
            yield claim
        except Exception as error:
            if not isinstance(error, TrackerError) or error.reason is not Reason.STORE_OUTCOME_UNKNOWN:
                with suppress(TrackerError, PyMongoError):  # the janitor finds it
                    await self.finish({"_id": key, "claim": claimed})
            if isinstance(error, DuplicateKeyError):
                raise unavailable("the change took so long that it was given up") from None
            raise
        with suppress(TrackerError, PyMongoError):  # the note tells whoever asks, and the janitor
            if claim.made:
                await self._confirm(key, claimed)
            else:
                await self._give_up(key, claimed)

    async def delete(self, once: Once[bool] | None, collection: Collection, record_id: str) -> bool:
        """Delete the document of an id; return whether there was one.

        With a key, a document with `gone`, the time, takes its place, which has the note; the janitor deletes
        it. Whoever reads the collection passes it over.
        """
        where = {"_id": record_id, "gone": None}
        if once is None:
            return await writes.delete(collection, where)
        while (stored := await collection.find_one(where)) is not None:
            async with self.claimed(once, True, collection.name, stored) as claim:  # noqa: FBT003 - it is deleted
                claim.made = await writes.replace(collection, stored, {"gone": self._now(), **claim.notes})
            if claim.made:
                return True
        return False

    async def finish(self, stored: Document) -> None:
        """Confirm a claim whose change was made, or give it up; for the janitor."""
        key, claim = stored["_id"], stored["claim"]
        if await self._is_noted(key, claim):
            await self._confirm(key, claim)
        else:
            await self._give_up(key, claim)

    async def forget(self, *collections: Collection) -> None:
        """Forget the keys that are over, and the notes in collections that tell nothing more."""
        now = self._now()
        if await self._keys.find_one({}, {"_id": 1}) is None:
            return
        late = now - _NOTED_SECONDS * MICROS
        for noted in collections:
            fresh = {"$elemMatch": {"at": {"$gte": late}}}
            await writes.update_all(
                noted, {"keys.at": {"$lt": late}, "keys": {"$not": fresh}}, {"$unset": {"keys": ""}}
            )
            await writes.update_all(
                noted, {"keys.at": {"$lt": late}}, {"$pull": {"keys": {"at": {"$lt": late}}}}
            )
        await writes.delete_all(self._keys, {"at": {"$lte": forgotten_until(now)}})

    @property
    def _keys(self) -> Collection:
        return self._connections.newest(NAME)

    async def _take(self, use: KeyUse, beside: Document) -> None:
        """Put the document of a key where there is none, or one that is over."""
        new = {"_id": use.key, "request": use.request, "at": use.at, **beside}
        while True:
            with suppress(DuplicateKeyError):
                await writes.insert(self._keys, new)
                return
            stored = await self._keys.find_one({"_id": use.key})
            if stored is None:
                continue
            if not is_over(stored["at"], use.at):
                raise AnsweredBeforeError(await self._answered(stored))
            if await writes.replace(self._keys, stored, new):
                return

    async def _answered(self, stored: Document) -> Answered:
        """Return what a key was used for.

        Raises:
            KeyUnderWayError: It is claimed, and its change not made, or not yet.
        """
        if "answer" in stored:
            return Answered(stored["request"], stored["answer"])
        claim = stored["claim"]
        if not await self._is_noted(stored["_id"], claim):
            raise KeyUnderWayError
        await self._confirm(stored["_id"], claim)
        return Answered(stored["request"], claim["answer"])

    async def _is_noted(self, key: str, claim: Document) -> bool:
        """Return whether the change was made that a key is claimed for."""
        noted = await self._connections.newest(claim["in"]).find_one({"keys.key": key}, {"keys": 1})
        return noted is not None and any(note["op"] == claim["op"] for note in noted["keys"])

    async def _confirm(self, key: str, claim: Document) -> None:
        change = {"$set": {"answer": claim["answer"]}, "$unset": {"claim": ""}, "$inc": {"rev": 1}}
        await writes.update(self._keys, {"_id": key, "claim.op": claim["op"]}, change)

    async def _give_up(self, key: str, claim: Document) -> None:
        await writes.delete(self._keys, {"_id": key, "claim.op": claim["op"]})
