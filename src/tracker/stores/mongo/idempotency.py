"""Idempotency keys in MongoDB.

The use of a key is written before its change, with the answer, and is undecided until the change is made
(`outbox.py`).
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from pymongo.errors import DuplicateKeyError, PyMongoError

from tracker.domain.idempotency import forgotten_until, is_over
from tracker.errors import Reason, TrackerError
from tracker.stores.idempotency import Answered, AnsweredBeforeError, KeyUnderWayError
from tracker.stores.mongo import writes
from tracker.stores.mongo.decisions import IDEMPOTENCY_KEYS
from tracker.stores.mongo.failures import unavailable
from tracker.stores.mongo.outbox import carried, confirming, new_entry, undecided_of, waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from tracker.stores.idempotency import KeyUse, Once
    from tracker.stores.mongo.changes import Changes
    from tracker.stores.mongo.connections import Connections
    from tracker.stores.mongo.decisions import Decisions
    from tracker.stores.mongo.writes import Collection, Document

T = TypeVar("T")

NAME = IDEMPOTENCY_KEYS
"""The collection."""


@dataclass(slots=True)
class Claim:
    """A change that is about to be made; `made` is its outcome."""

    made: bool = True


@dataclass(eq=False)
class MongoIdempotency:
    """The `IdempotencyStore` in MongoDB, which also claims keys for changes."""

    _connections: Connections
    _changes: Changes
    _decisions: Decisions
    _now: Callable[[], int]

    async def find(self, key: str, now: int) -> Answered | None:
        async with self._connections.asking(NAME) as keys:
            stored = await keys.find_one({"_id": key})
        if stored is None or is_over(stored["at"], now):
            return None
        return await self._changes.run(lambda: self._answered(stored))

    async def remember(self, use: KeyUse, answer: bytes) -> None:
        await self._changes.run(lambda: self._take(use, {"answer": answer}))

    @asynccontextmanager
    async def claimed(
        self, once: Once[T] | None, made: T, decider: tuple[str, str], change: Document
    ) -> AsyncIterator[Claim]:
        """Claim the key of a change that leads to `made`.

        `decider` is the collection and id of the document that decides the change, and `change` the entry
        for its outbox. After an exception inside, the change was not made, unless its outcome is unknown.

        Raises:
            AnsweredBeforeError: The key has been used.
            KeyUnderWayError: It may be in use.
        """
        claim = Claim()
        if once is None:
            yield claim
            return
        key, entry = once.use.key, waiting(change, *decider)
        await self._take(once.use, {"answer": once.answer(made), "outbox": [entry]})
        confirming(change, NAME, key)
        try:
            yield claim
        except Exception as error:
            if not isinstance(error, TrackerError) or error.reason is not Reason.STORE_OUTCOME_UNKNOWN:
                with suppress(TrackerError, PyMongoError):  # the reconciler finds it
                    if not await self._decisions.is_made(entry):
                        await self._decisions.undo(NAME, key, entry["op"])
            if isinstance(error, DuplicateKeyError):
                raise unavailable("the change took so long that it was given up") from None
            raise
        if not claim.made:
            await self._decisions.undo(NAME, key, entry["op"])

    async def put(  # noqa: PLR0913, PLR0917 - what is changed, and what is remembered of it
        self,
        once: Once[T] | None,
        made: T,
        collection: Collection,
        before: Document | None,
        after: Document,
        change: Document,
    ) -> Document | None:
        """Claim a key for a change, and make it as `writes.put` does; return the new document, or None.

        `change` is the entry for its outbox.
        """
        async with self.claimed(once, made, (collection.name, after["_id"]), change) as claim:
            after |= carried(before, change)
            claim.made = await writes.put(collection, before, after)
        return after if claim.made else None

    async def delete(
        self,
        once: Once[bool] | None,
        name: str,
        record_id: str,
        deliver: Callable[[str, Document], None],
        log: Callable[[Document], Sequence[Document]] = lambda _: (),
    ) -> bool:
        """Replace a record by a tombstone, and `deliver` its outbox; return False if there is none.

        `log` returns the log entries for the deletion of a document.
        """
        collection = self._connections.newest(name)
        while (stored := await collection.find_one({"_id": record_id, "tombstone": None})) is not None:
            change = new_entry(self._now(), log=log(stored))
            tombstone = {"_id": record_id, "tombstone": self._now()}
            deleted = await self.put(once, True, collection, stored, tombstone, change)  # noqa: FBT003 - it is deleted
            if deleted is not None:
                deliver(name, deleted)
                return True
        return False

    async def forget(self) -> None:
        """Forget the keys that are over."""
        await writes.delete_all(self._keys, {"at": {"$lte": forgotten_until(self._now())}})

    @property
    def _keys(self) -> Collection:
        return self._connections.newest(NAME)

    async def _take(self, use: KeyUse, fields: Document) -> None:
        """Store the use of a key that is unused, or whose earlier use is over."""
        new = {"_id": use.key, "request": use.request, "at": use.at, **fields}
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
        for entry in undecided_of(stored):
            if await self._decisions.is_made(entry):
                await self._decisions.confirm(NAME, stored["_id"], entry["op"])
            else:
                again = await self._keys.find_one({"_id": stored["_id"]})
                if again is None or undecided_of(again):
                    raise KeyUnderWayError
                stored = again
        return Answered(stored["request"], stored["answer"])
