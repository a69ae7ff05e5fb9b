"""Delivers log entries and confirmations in the background, and removes delivered entries from outboxes."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import DuplicateKeyError

from tracker.stores.mongo import writes
from tracker.stores.mongo.database import CHANGE_SECONDS
from tracker.stores.mongo.failures import store_errors
from tracker.stores.mongo.outbox import confirm, entries_of, with_document
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bson import ObjectId

    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

NAME = "changes"
"""The collection of the change log (`change_log.py`)."""

MOST_AT_ONCE = 256
"""How many entries a document of the log has at most."""

_KEPT_SECONDS = 600
"""How long a document of the log is kept at least: longer than any command takes."""

_GATHER_SECONDS = 0.02
"""How long a parcel waits for others, so that they are delivered together."""

_BATCH_BYTES = 4 * 2**20
_FOR_LOG = frozenset({"op", "at", "principal", "log"})
_MOST_WAITING = 10_000
_REMEMBERED = 10_000


@dataclass(slots=True)
class _Parcel:
    """An outbox entry of a document; unless it is `complete`, only its log is delivered here."""

    collection: str
    record_id: str
    entry: Document
    complete: bool = True

    @property
    def log(self) -> Sequence[Document]:
        """The log entries, with the moment and the principal of the outbox entry."""
        own = {"at": self.entry["at"], "principal": self.entry.get("principal", "")}
        return [own | each for each in self.entry.get("log", ())]


class Courier:
    """Queues outbox entries of documents that this server changes, and delivers them in batches.

    The change log keeps the last `kept` changes at least.
    """

    def __init__(self, database: Database, kept: int) -> None:
        self._database = database
        self._kept = kept
        self._logged: dict[ObjectId, None] = {}
        self._grown: list[Callable[[], None]] = []
        self._waiting: deque[_Parcel] = deque()
        self._confirmed: dict[ObjectId, None] = {}
        self._taken = self._delivered = 0
        self._came = asyncio.Event()
        self._went = asyncio.Event()
        self._running = False
        self._closing = False

    def notify(self, grown: Callable[[], None]) -> None:
        """Call `grown` whenever this server has written into the log."""
        self._grown.append(grown)

    def add(self, collection: str, stored: Document) -> None:
        """Take the entries of a document's outbox whose other parts have been delivered."""
        if len(self._waiting) >= _MOST_WAITING:
            return  # the entries stay, and the reconciler finds them
        for entry in entries_of(stored):
            if "undecided" in entry:
                break
            if "document" in stored:
                entry = with_document(entry, stored["document"])  # noqa: PLW2901 - the same entry, complete
            self._waiting.append(_Parcel(collection, stored["_id"], entry))
            self._taken += 1
        self._came.set()

    async def run(self) -> None:
        """Deliver what comes, until the courier is closed and nothing is left."""
        self._running = True
        while self._waiting or not self._closing:
            if not self._waiting:
                await self._came.wait()
                self._came.clear()
                continue
            if len(self._waiting) < MOST_AT_ONCE and not self._closing:
                await asyncio.sleep(_GATHER_SECONDS)
            with store_errors():
                await self._deliver_next()

    def close(self) -> None:
        """Let `run` return once everything is delivered."""
        self._closing = True
        self._came.set()
        self._went.set()

    async def await_room(self) -> None:
        """Wait while the queue is more than half full."""
        while len(self._waiting) > _MOST_WAITING // 2 and not self._closing:
            self._went.clear()
            await self._went.wait()

    async def drained(self) -> None:
        """Wait until the entries taken so far are delivered; deliver them here if `run` is not running."""
        last = self._taken
        while self._delivered < last and not self._closing:
            if self._running:
                self._went.clear()
                await self._went.wait()
            else:
                await self._deliver_next()

    async def _deliver_next(self) -> None:
        batch = self._next_batch()
        await self._database.reach()
        with pymongo.timeout(CHANGE_SECONDS):
            different = {(parcel.record_id, parcel.entry["op"]): parcel for parcel in batch}.values()
            parcels = [*chain.from_iterable(await asyncio.gather(*map(self._confirm, different)))]
            await self._append([entry for parcel in parcels for entry in parcel.log])
            await self._remove(parcel for parcel in parcels if parcel.complete)
        for _ in batch:
            self._waiting.popleft()
        self._delivered += len(batch)
        self._went.set()

    def _next_batch(self) -> Sequence[_Parcel]:
        batch: list[_Parcel] = []
        size = 0
        for parcel in self._waiting:
            log = parcel.entry.get("log", ())
            size += sum(len(each.get("before", "")) + len(each.get("after", "")) for each in log)
            if batch and (len(batch) == MOST_AT_ONCE or size > _BATCH_BYTES):
                break
            batch.append(parcel)
        return batch

    async def _confirm(self, parcel: _Parcel) -> Sequence[_Parcel]:
        """Confirm the documents that a parcel names; return the parcels of their outboxes, and then it."""
        confirmed: list[_Parcel] = []
        op = parcel.entry["op"]
        if "confirms" not in parcel.entry or op in self._confirmed:
            return [parcel]
        for collection, record_id in parcel.entry["confirms"]:
            async with self._database.turn(collection, record_id):
                stored = await confirm(self._database, collection, record_id, op)
            for entry in entries_of(stored or {}):  # all, so that the log has them in their order
                if "undecided" in entry:
                    break
                complete = entry["op"] == op or entry.keys() <= _FOR_LOG
                confirmed.append(_Parcel(collection, record_id, entry, complete=complete))
        self._confirmed[op] = None
        if len(self._confirmed) > _REMEMBERED:
            del self._confirmed[next(iter(self._confirmed))]
        return [*confirmed, parcel]

    async def _remove(self, parcels: Iterable[_Parcel]) -> None:
        delivered: defaultdict[str, list[_Parcel]] = defaultdict(list)
        for parcel in parcels:
            delivered[parcel.collection].append(parcel)
        for name, parcels_of in delivered.items():
            collection = self._database.newest(name)
            ids = list({parcel.record_id for parcel in parcels_of})
            ops = [parcel.entry["op"] for parcel in parcels_of]
            where = {"_id": {"$in": ids}, "outbox.op": {"$in": ops}}
            no_others = {"outbox": {"$not": {"$elemMatch": {"op": {"$nin": ops}}}}}
            emptied = await collection.update_many(where | no_others, {"$unset": {"outbox": ""}})
            if emptied.matched_count < len(ids):
                await collection.update_many(where, {"$pull": {"outbox": {"op": {"$in": ops}}}})

    async def _append(self, entries: Sequence[Document]) -> None:
        """Write entries after the last document of the log, except those that are in it."""
        log = self._database.newest(NAME)
        new = {each["op"]: each for each in entries if each["op"] not in self._logged}
        while new:
            number = last_number(await log.find_one({}, {"size": 1}, sort=[("_id", -1)])) + 1
            row = {"_id": number, "size": len(new), "at": self._database.now(), "changes": [*new.values()]}
            try:
                await log.insert_one(row)
            except DuplicateKeyError:
                there = await self._there([*new])
                new = {op: each for op, each in new.items() if op not in there}
            else:
                break
        self._logged |= dict.fromkeys(each["op"] for each in entries)
        while len(self._logged) > _REMEMBERED:
            del self._logged[next(iter(self._logged))]
        for grown in self._grown if entries else ():
            grown()

    async def forget(self) -> None:
        """Delete the entries that need not be kept."""
        log = self._database.newest(NAME)
        last = await log.find_one({}, {"_id": 1}, sort=[("_id", -1)])
        if last is not None:
            before = {"$lt": self._database.now() - _KEPT_SECONDS * MICROS}
            await writes.delete_all(log, {"_id": {"$lt": last["_id"] - self._kept}, "at": before})

    async def _there(self, ops: list[ObjectId]) -> set[ObjectId]:
        """Return which entries are in the log."""
        log = self._database.newest(NAME)
        rows = await log.find({"changes.op": {"$in": ops}}, {"changes.op": 1}).to_list()
        return {each["op"] for row in rows for each in row["changes"]}


def last_number(row: Document | None) -> int:
    """Return the number of the last entry in a document of the log."""
    return 0 if row is None else int(row["_id"] + row["size"] - 1)
