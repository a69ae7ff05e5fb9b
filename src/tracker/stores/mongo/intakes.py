"""Counts of the messages of senders in MongoDB, and messages that recorded nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.stores.intakes import KeptMessage, Tally
from tracker.stores.mongo import writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.stores.intakes import Place
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

NAME = "intakes"
"""The collection of counts."""

MESSAGES = "intake_messages"
"""The collection of messages."""

_COUNTS = ("recorded", "ignored", "refused", "failed")


@dataclass(eq=False)
class MongoIntakes:
    """The `IntakeStore` in MongoDB."""

    _database: Database

    async def count(self, tallies: Sequence[Tally]) -> None:
        async def step() -> None:
            collection = self._database.newest(NAME)
            for each in tallies:
                change: Document = {
                    "$inc": {name: getattr(each, name) for name in _COUNTS},
                    "$max": {"seen_at": each.seen_at},
                    "$set": {},
                }
                if each.skew is not None:
                    change["$set"]["skew"] = each.skew
                if each.problem_at:
                    change["$set"] |= {"problem_at": each.problem_at, "problem": each.problem}
                if not change["$set"]:
                    del change["$set"]
                await writes.update(collection, {"_id": each.sender}, change, upsert=True)

        await self._database.run(step)

    async def tallies(self) -> Sequence[Tally]:
        async with self._database.asking(NAME) as counts:
            return [tally(row) async for row in counts.find({}, sort=[("_id", 1)])]

    async def keep(self, message: KeptMessage) -> None:
        async def step() -> None:
            await writes.insert_all(self._database.newest(MESSAGES), [message_document(message)])

        await self._database.run(step)

    async def settle(self, message: KeptMessage) -> None:
        change = {name: getattr(message, name) for name in ("outcome", "reason", "replayed_at")}
        await self._database.run(
            lambda: writes.update(self._database.newest(MESSAGES), {"_id": message.id}, {"$set": change})
        )

    async def get(self, message_id: str) -> KeptMessage | None:
        async with self._database.asking(MESSAGES) as messages:
            row = await messages.find_one({"_id": message_id})
            return None if row is None else kept(row)

    async def list(self, sender: str, outcome: int, after: Place | None, most: int) -> Sequence[KeptMessage]:
        where: Document = {}
        if sender:
            where["sender"] = sender
        if outcome:
            where["outcome"] = outcome
        if after is not None:
            at, message_id = after
            where["$or"] = [{"received_at": {"$lt": at}}, {"received_at": at, "_id": {"$lt": message_id}}]
        async with self._database.asking(MESSAGES) as messages:
            rows = messages.find(where, {"body": 0}, sort=[("received_at", -1), ("_id", -1)], limit=most)
            return [kept(row | {"body": ""}) async for row in rows]

    async def sizes(self, sender: str) -> Sequence[tuple[str, int]]:
        async with self._database.asking(MESSAGES) as messages:
            rows = messages.find(
                {"sender": sender}, {"body_bytes": 1}, sort=[("received_at", -1), ("_id", -1)]
            )
            return [(row["_id"], row["body_bytes"]) async for row in rows]

    async def drop(self, ids: Sequence[str]) -> None:
        where = {"_id": {"$in": [*ids]}}
        await self._database.run(lambda: writes.delete_all(self._database.newest(MESSAGES), where))

    async def forget(self, before: int) -> None:
        where = {"received_at": {"$lt": before}}
        await self._database.run(lambda: writes.delete_all(self._database.newest(MESSAGES), where))


def tally(row: Document) -> Tally:
    """Return the counts in a document."""
    given = {name: row[name] for name in Tally._fields[1:] if name in row}
    return Tally(row["_id"], **given)


def tally_document(each: Tally) -> Document:
    """Return the document of counts."""
    fields = each._asdict()
    return {"_id": fields.pop("sender"), **{name: of for name, of in fields.items() if of is not None}}


def kept(row: Document) -> KeptMessage:
    """Return the message in a document."""
    return KeptMessage(row["_id"], *(row[name] for name in KeptMessage._fields[1:]))


def message_document(message: KeptMessage) -> Document:
    """Return the document of a message."""
    return {"_id": message.id, **dict(zip(KeptMessage._fields[1:], message[1:], strict=True))}
