"""The ends of locks in the database: what the stores do with them inside a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.locks import EndedLock, Ending
from tracker.pb import lock_pb
from tracker.stores.documents import parse

if TYPE_CHECKING:
    import apsw

    from tracker.domain.locks import LockKey
    from tracker.stores.contents import StoredEnd

_SELECT = "SELECT ending, ended_at, reason, token_hash, id, CAST(document AS BLOB) FROM ended_locks"


def select(db: apsw.Connection, lock_id: str) -> EndedLock | None:
    """Return how the lock of an id ended, or None."""
    return _ended(db.execute(f"{_SELECT} WHERE id = ?", (lock_id,)).fetchone())


def select_of_token(db: apsw.Connection, key: LockKey, token_hash: bytes) -> EndedLock | None:
    """Return how a lock ended that a token had taken a key with, or None."""
    if not token_hash:
        return None
    row = db.execute(
        f"{_SELECT} WHERE token_hash = ? AND token_hash <> x''"
        " AND (service, environment, resource) = (?, ?, ?)",
        (token_hash, *key),
    ).fetchone()
    return _ended(row)


def insert(db: apsw.Connection, ended: EndedLock) -> None:
    """Remember how a lock ended; its row still exists."""
    db.execute(
        "INSERT INTO ended_locks"
        " SELECT id, service, environment, resource, ?, ?, ?, token_hash, document FROM locks WHERE id = ?",
        (ended.at, ended.ending, ended.reason, ended.lock.id),
    )


def add(db: apsw.Connection, stored: StoredEnd) -> None:
    """Store how a lock ended as another store keeps it, unless it is there."""
    db.execute(
        "INSERT INTO ended_locks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (stored.id, *stored.key, stored.at, stored.ending, stored.reason, stored.token_hash, stored.document),
    )


def delete_some(db: apsw.Connection, before: int, limit: int) -> int:
    """Forget up to `limit` locks that ended before a moment; return how many that were."""
    db.execute(
        "DELETE FROM ended_locks WHERE id IN (SELECT id FROM ended_locks WHERE ended_at < ? LIMIT ?)",
        (before, limit),
    )
    return db.changes()


def _ended(row: tuple[str, int, str, bytes, str, bytes] | None) -> EndedLock | None:
    if row is None:
        return None
    ending, at, reason, token_hash, lock_id, document = row
    return EndedLock(parse(lock_pb.Lock, lock_id, document), token_hash, Ending(ending), at, reason)
