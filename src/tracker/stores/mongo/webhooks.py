"""Webhooks and their messages in MongoDB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pymongo import ReturnDocument

from tracker.pb import webhook_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.webhooks import (
    Delivery,
    DeliveryState,
    StoredWebhook,
    read_secrets,
    write_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Document
    from tracker.stores.webhooks import DeliveryFilter, Place

NAME = "webhooks"
"""The collection of webhooks."""

MESSAGES = "webhook_deliveries"
"""The collection of their messages."""

POLL_SECONDS = 2.0
"""Time between two reads for the changes of other servers."""

_FIELDS = Delivery._fields[1:]
_WAITING: Final = {"state": int(DeliveryState.WAITING)}


@dataclass(eq=False)
class MongoWebhooks:
    """The `WebhookStore` in MongoDB."""

    _database: Database
    _deliveries: Deliveries
    poll_seconds: float | None = POLL_SECONDS

    async def create(self, webhook: StoredWebhook, once: Once[StoredWebhook] | None = None) -> None:
        await self._deliveries.create(NAME, RecordKind.WEBHOOK, webhook, document(webhook), once)

    async def modify(
        self,
        webhook_id: str,
        change: Callable[[StoredWebhook], StoredWebhook],
        once: Once[StoredWebhook] | None = None,
    ) -> StoredWebhook | None:
        def change_stored(stored: Document) -> tuple[StoredWebhook, Document]:
            webhook = change(_stored(stored))
            return webhook, document(webhook)

        return await self._deliveries.modify(NAME, RecordKind.WEBHOOK, webhook_id, change_stored, once)

    async def delete(self, webhook_id: str, once: Once[bool] | None = None) -> bool:
        deleted = await self._deliveries.delete(NAME, RecordKind.WEBHOOK, webhook_id, once)
        await self._database.run(
            lambda: writes.delete_all(self._database.newest(MESSAGES), {"webhook": webhook_id})
        )
        return deleted

    async def find(self) -> Sequence[StoredWebhook]:
        async with self._database.asking(NAME) as webhooks:
            return [_stored(row) async for row in webhooks.find({"tombstone": None}, sort=[("_id", 1)])]

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        rows = [delivery_document(each) for each in deliveries]

        async def step() -> None:
            await writes.insert_all(self._database.newest(MESSAGES), rows)

        await self._database.run(step)

    async def next_due(self) -> Mapping[str, int]:
        due: dict[str, int] = {}
        async with self._database.asking(NAME) as webhooks:
            ids = [row["_id"] async for row in webhooks.find({"tombstone": None}, {"_id": 1})]
        async with self._database.asking(MESSAGES) as messages:
            for each in ids:
                where = {"webhook": each, **_WAITING}
                row = await messages.find_one(where, {"next_at": 1}, sort=[("next_at", 1)])
                if row is not None:
                    due[each] = row["next_at"]
        return due

    async def claim(self, webhook_id: str, now: int, until: int, most: int) -> Sequence[Delivery]:
        where = {"webhook": webhook_id, **_WAITING, "next_at": {"$lte": now}}
        change = {"$set": {"next_at": until}}

        async def step() -> Sequence[Delivery]:
            # One at a time, each by one server. One that is claimed without an answer is due later.
            messages = self._database.newest(MESSAGES)
            claimed: list[Delivery] = []
            while len(claimed) < most:
                row = await messages.find_one_and_update(
                    where, change, sort=[("next_at", 1), ("_id", 1)], return_document=ReturnDocument.BEFORE
                )
                if row is None:
                    break
                claimed.append(delivery(row))
            return claimed

        return await self._database.run(step)

    async def settle(self, *deliveries: Delivery) -> None:
        async def step() -> None:
            for each in deliveries:
                fields = dict(zip(_FIELDS, each[1:], strict=True))
                change = {name: fields[name] for name in _FIELDS[_FIELDS.index("state") :]}
                await writes.update(self._database.newest(MESSAGES), {"_id": each.id}, {"$set": change})

        await self._database.run(step)

    async def postpone(self, delivery_id: str, at: int) -> None:
        where, change = {"_id": delivery_id, **_WAITING}, {"$set": {"next_at": at}}
        await self._database.run(lambda: writes.update(self._database.newest(MESSAGES), where, change))

    async def first_waiting(self, webhook_id: str, thread: str) -> Delivery | None:
        where = {"webhook": webhook_id, "thread": thread, **_WAITING}
        async with self._database.asking(MESSAGES) as messages:
            row = await messages.find_one(where, sort=[("created_at", 1), ("_id", 1)])
            return None if row is None else delivery(row)

    async def list(self, wanted: DeliveryFilter, after: Place | None, most: int) -> Sequence[Delivery]:
        where = _condition(wanted)
        if after is not None:
            at, message_id = after
            earlier = [{"created_at": {"$lt": at}}, {"created_at": at, "_id": {"$lt": message_id}}]
            where = {"$and": [where, {"$or": earlier}]}
        async with self._database.asking(MESSAGES) as messages:
            rows = messages.find(where, sort=[("created_at", -1), ("_id", -1)], limit=most)
            return [delivery(row) async for row in rows]

    async def replay(self, wanted: DeliveryFilter, at: int) -> int:
        where = _condition(wanted)
        change = {"$set": {**_WAITING, "attempts": 0, "next_at": at}}

        async def step() -> int:
            messages = self._database.newest(MESSAGES)
            count = await messages.count_documents(where)
            await writes.update_all(messages, where, change)
            return count

        return await self._database.run(step)

    async def forget(self, before: int) -> None:
        where = {"created_at": {"$lt": before}}
        await self._database.run(lambda: writes.delete_all(self._database.newest(MESSAGES), where))


def document(webhook: StoredWebhook) -> Document:
    """Return the document of a webhook."""
    return {
        "_id": webhook.record.id,
        "secrets": write_secrets(webhook),
        "document": webhook.record.to_json(),
    }


def delivery(row: Document) -> Delivery:
    """Return the message in a document."""
    return Delivery(row["_id"], *(row.get(name, "") for name in _FIELDS))  # an older one has no thread


def delivery_document(message: Delivery) -> Document:
    """Return the document of a message."""
    return {"_id": message.id, **dict(zip(_FIELDS, message[1:], strict=True))}


def _stored(row: Document) -> StoredWebhook:
    record = parse(webhook_pb.Webhook, row["_id"], row["document"])
    return StoredWebhook(record, *read_secrets(row["secrets"]))


def _condition(wanted: DeliveryFilter) -> Document:
    where: Document = {
        "webhook": wanted.webhook,
        "created_at": {"$gte": wanted.since, "$lt": wanted.until},
    }
    if wanted.ids is not None:
        where["_id"] = {"$in": [*wanted.ids]}
    if wanted.state:
        where["state"] = int(wanted.state)
    if wanted.thread:
        where["thread"] = wanted.thread
    return where
