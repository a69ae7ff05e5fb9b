"""Records of access control in SQLite."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import apsw

from tracker.pb import access_pb
from tracker.stores.access import NameTakenError, StoredAccess
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.sqlite import clock
from tracker.stores.sqlite.change_log import log_created, log_updated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.contents import StoredAccessDocument
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_SELECT = "SELECT id, CAST(document AS BLOB), secret_hash FROM access"
_ADD = "INSERT INTO access (id, changed_at, secret_hash, document) VALUES (?, ?, ?, ?) ON CONFLICT (id)"
_PUT = (
    f"{_ADD} DO UPDATE SET changed_at = excluded.changed_at,"
    " secret_hash = excluded.secret_hash, document = excluded.document"
)
_NAME = "UPDATE access SET name = ? WHERE id = ?"


@dataclass(eq=False)
class SqliteAccess:
    """The `AccessStore` in SQLite."""

    _writer: Writer
    _reader: Reader
    poll_seconds: float | None = None

    async def modify(
        self,
        record_id: str,
        change: Callable[[StoredAccess | None], StoredAccess],
        *,
        logged: bool = True,
    ) -> StoredAccess:
        def step(db: apsw.Connection) -> StoredAccess:
            row = db.execute(f"{_SELECT} WHERE id = ?", (record_id,)).fetchone()
            before = None if row is None else _stored(*row)
            new = change(before)
            document = new.record.to_json()
            if logged and row is None:
                log_created(db, RecordKind.ACCESS, record_id, document)
            elif logged:
                log_updated(db, RecordKind.ACCESS, record_id, document)
            db.execute(_PUT, (record_id, clock.now(), new.secret_hash, document))
            if new.unique_name != (None if before is None else before.unique_name):
                _name(db, record_id, new.unique_name)
            return new

        return await self._writer.change(step)

    async def find(self, since: int = 0) -> Sequence[StoredAccess]:
        def query(db: apsw.Connection) -> Sequence[StoredAccess]:
            rows = db.execute(f"{_SELECT} WHERE changed_at >= ? ORDER BY id", (since,))
            return [_stored(*row) for row in rows]

        return await self._reader.read(query)


def add(db: apsw.Connection, stored: StoredAccessDocument) -> None:
    """Add a record as a migration has it, unless it is there."""
    db.execute(f"{_ADD} DO NOTHING", stored)
    name = _stored(stored.id, stored.document.encode(), stored.secret_hash).unique_name
    with suppress(NameTakenError):  # as in a store of an earlier version
        _name(db, stored.id, name)


def _name(db: apsw.Connection, record_id: str, name: str | None) -> None:
    """Give a record its unique name.

    Raises:
        NameTakenError: Another one has it.
    """
    try:
        db.execute(_NAME, (name, record_id))
    except apsw.ConstraintError:
        raise NameTakenError(name or "") from None


def _stored(record_id: str, document: bytes, secret_hash: bytes) -> StoredAccess:
    return StoredAccess(parse(access_pb.Access, record_id, document), secret_hash)
