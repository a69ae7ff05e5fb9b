"""Webhooks and their messages in SQLite."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracker.pb import webhook_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.sqlite.change_log import log_created, log_deleted, log_updated
from tracker.stores.sqlite.idempotency import once_only
from tracker.stores.webhooks import (
    Delivery,
    StoredWebhook,
    read_secrets,
    write_secrets,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import apsw

    from tracker.stores.contents import StoredWebhookDocument
    from tracker.stores.idempotency import Once
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer
    from tracker.stores.webhooks import DeliveryFilter, Place

SELECT_DELIVERIES = f"SELECT {', '.join(Delivery._fields)} FROM webhook_deliveries"
_SELECT = "SELECT id, secrets, CAST(document AS BLOB) FROM webhooks"
_ADD = "INSERT INTO webhooks (id, secrets, document) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
_ADD_DELIVERY = (
    f"INSERT INTO webhook_deliveries ({', '.join(Delivery._fields)})"
    f" VALUES ({', '.join('?' * len(Delivery._fields))}) ON CONFLICT (id) DO NOTHING"
)
_NEXT_DUE = (
    "SELECT id, (SELECT min(next_at) FROM webhook_deliveries WHERE webhook = webhooks.id AND state = 1)"
    " FROM webhooks"
)
_CLAIM = f"{SELECT_DELIVERIES} WHERE webhook = ? AND state = 1 AND next_at <= ? ORDER BY next_at, id LIMIT ?"
_FIRST_WAITING = (
    f"{SELECT_DELIVERIES} WHERE webhook = ? AND thread = ? AND thread != '' AND state = 1"
    " ORDER BY created_at, id LIMIT 1"
)
_SETTLE = (
    "UPDATE webhook_deliveries SET state = ?, next_at = ?, attempts = ?, last_at = ?, last_status = ?,"
    " last_error = ?, thread = ?, receipt = ? WHERE id = ?"
)
_REPLAY = "UPDATE webhook_deliveries SET state = 1, attempts = 0, next_at = ?"
_FORGET = (
    "DELETE FROM webhook_deliveries WHERE id IN"
    " (SELECT id FROM webhook_deliveries WHERE created_at < ? LIMIT ?)"
)
_FORGOTTEN_AT_ONCE = 1_000


@dataclass(eq=False)
class SqliteWebhooks:
    """The `WebhookStore` in SQLite."""

    _writer: Writer
    _reader: Reader
    poll_seconds: float | None = None

    async def create(self, webhook: StoredWebhook, once: Once[StoredWebhook] | None = None) -> None:
        def step(db: apsw.Connection) -> StoredWebhook:
            document = webhook.record.to_json()
            log_created(db, RecordKind.WEBHOOK, webhook.record.id, document)
            db.execute(_ADD, (webhook.record.id, write_secrets(webhook), document))
            return webhook

        await self._writer.change(once_only(step, once))

    async def modify(
        self,
        webhook_id: str,
        change: Callable[[StoredWebhook], StoredWebhook],
        once: Once[StoredWebhook] | None = None,
    ) -> StoredWebhook | None:
        def step(db: apsw.Connection) -> StoredWebhook | None:
            row = db.execute(f"{_SELECT} WHERE id = ?", (webhook_id,)).fetchone()
            if row is None:
                return None
            webhook = change(_stored(*row))
            document = webhook.record.to_json()
            log_updated(db, RecordKind.WEBHOOK, webhook_id, document)
            db.execute(
                "UPDATE webhooks SET secrets = ?, document = ? WHERE id = ?",
                (write_secrets(webhook), document, webhook_id),
            )
            return webhook

        return await self._writer.change(once_only(step, once))

    async def delete(self, webhook_id: str, once: Once[bool] | None = None) -> bool:
        def step(db: apsw.Connection) -> bool:
            db.execute("DELETE FROM webhook_deliveries WHERE webhook = ?", (webhook_id,))
            if not db.execute("SELECT EXISTS (SELECT 1 FROM webhooks WHERE id = ?)", (webhook_id,)).get:
                return False
            log_deleted(db, RecordKind.WEBHOOK, webhook_id)
            db.execute("DELETE FROM webhooks WHERE id = ?", (webhook_id,))
            return True

        return await self._writer.change(once_only(step, once, bool))

    async def find(self) -> Sequence[StoredWebhook]:
        return await self._reader.read(
            lambda db: [_stored(*row) for row in db.execute(f"{_SELECT} ORDER BY id")]
        )

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        await self._writer.change(lambda db: db.executemany(_ADD_DELIVERY, deliveries))

    async def next_due(self) -> Mapping[str, int]:
        def query(db: apsw.Connection) -> Mapping[str, int]:
            return {str(row[0]): int(row[1]) for row in db.execute(_NEXT_DUE) if isinstance(row[1], int)}

        return await self._reader.read(query)

    async def claim(self, webhook_id: str, now: int, until: int, most: int) -> Sequence[Delivery]:
        def step(db: apsw.Connection) -> Sequence[Delivery]:
            rows = [Delivery(*row) for row in db.execute(_CLAIM, (webhook_id, now, most))]
            put = "UPDATE webhook_deliveries SET next_at = ? WHERE id = ?"
            db.executemany(put, [(until, each.id) for each in rows])
            return rows

        return await self._writer.change(step)

    async def settle(self, *deliveries: Delivery) -> None:
        values = [(*each[Delivery._fields.index("state") :], each.id) for each in deliveries]
        await self._writer.change(lambda db: db.executemany(_SETTLE, values))

    async def postpone(self, delivery_id: str, at: int) -> None:
        put = "UPDATE webhook_deliveries SET next_at = ? WHERE id = ? AND state = 1"
        await self._writer.change(lambda db: db.execute(put, (at, delivery_id)))

    async def first_waiting(self, webhook_id: str, thread: str) -> Delivery | None:
        def query(db: apsw.Connection) -> Delivery | None:
            row = db.execute(_FIRST_WAITING, (webhook_id, thread)).fetchone()
            return None if row is None else Delivery(*row)

        return await self._reader.read(query)

    async def list(self, wanted: DeliveryFilter, after: Place | None, most: int) -> Sequence[Delivery]:
        where, values = _condition(wanted)
        if after is not None:
            where, values = f"{where} AND (created_at, id) < (?, ?)", (*values, *after)
        sql = f"{SELECT_DELIVERIES} WHERE {where} ORDER BY created_at DESC, id DESC LIMIT {most}"
        return await self._reader.read(lambda db: [Delivery(*row) for row in db.execute(sql, values)])

    async def replay(self, wanted: DeliveryFilter, at: int) -> int:
        where, values = _condition(wanted)

        def step(db: apsw.Connection) -> int:
            db.execute(f"{_REPLAY} WHERE {where}", (at, *values))
            return db.changes()

        return await self._writer.change(step)

    async def forget(self, before: int) -> None:
        await self._writer.change_in_steps(_FORGET, (before, _FORGOTTEN_AT_ONCE))


def add(db: apsw.Connection, stored: StoredWebhookDocument) -> None:
    """Add a webhook as a migration has it, unless it is there."""
    db.execute(_ADD, stored)


def add_delivery(db: apsw.Connection, stored: Delivery) -> None:
    """Add a message as a migration has it, unless it is there."""
    db.execute(_ADD_DELIVERY, stored)


def _stored(webhook_id: str, secrets: str, document: bytes) -> StoredWebhook:
    return StoredWebhook(parse(webhook_pb.Webhook, webhook_id, document), *read_secrets(secrets))


def _condition(wanted: DeliveryFilter) -> tuple[str, tuple[Any, ...]]:
    where = "webhook = ? AND created_at >= ? AND created_at < ?"
    values: list[Any] = [wanted.webhook, wanted.since, wanted.until]
    if wanted.ids is not None:
        where += " AND id IN (SELECT value FROM json_each(?))"
        values.append(json.dumps(wanted.ids))
    if wanted.state:
        where += " AND state = ?"
        values.append(int(wanted.state))
    if wanted.thread:
        where += " AND thread = ? AND thread != ''"
        values.append(wanted.thread)
    return where, tuple(values)
