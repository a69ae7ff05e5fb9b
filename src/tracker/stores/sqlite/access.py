"""Records of access control in SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.pb import access_pb
from tracker.stores.access import StoredAccess
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.sqlite import clock
from tracker.stores.sqlite.change_log import log_created, log_updated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import apsw

    from tracker.stores.contents import StoredAccessDocument
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_SELECT = "SELECT id, CAST(document AS BLOB), secret_hash FROM access"
_ADD = "INSERT INTO access (id, changed_at, secret_hash, document) VALUES (?, ?, ?, ?)"
_PUT = (
    f"{_ADD} ON CONFLICT (id) DO UPDATE SET changed_at = excluded.changed_at,"
    " secret_hash = excluded.secret_hash, document = excluded.document"
)


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
            new = change(None if row is None else _stored(*row))
            document = new.record.to_json()
            if logged and row is None:
                log_created(db, RecordKind.ACCESS, record_id, document)
            elif logged:
                log_updated(db, RecordKind.ACCESS, record_id, document)
            db.execute(_PUT, (record_id, clock.now(), new.secret_hash, document))
            return new

        return await self._writer.change(step)

    async def find(self, since: int = 0) -> Sequence[StoredAccess]:
        def query(db: apsw.Connection) -> Sequence[StoredAccess]:
            rows = db.execute(f"{_SELECT} WHERE changed_at >= ? ORDER BY id", (since,))
            return [_stored(*row) for row in rows]

        return await self._reader.read(query)


def add(db: apsw.Connection, stored: StoredAccessDocument) -> None:
    """Add a record as a migration has it, unless it is there."""
    db.execute(f"{_ADD} ON CONFLICT (id) DO NOTHING", stored)


def _stored(record_id: str, document: bytes, secret_hash: bytes) -> StoredAccess:
    return StoredAccess(parse(access_pb.Access, record_id, document), secret_hash)
