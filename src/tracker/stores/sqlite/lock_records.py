"""Rows of locks and of their ends: what the stores read and write inside a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain import locks
from tracker.pb import lock_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.pages import Reading
from tracker.stores.sqlite import clock, event_records
from tracker.stores.sqlite.change_log import log_created, log_deleted, log_updated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from tracker.stores.contents import StoredEnd, StoredKey
    from tracker.stores.pages import Page

_COLUMNS = (
    "service, environment, resource, event_id, created_at, ttl, lock_delay, renewals, expired, document"
)
_PLACES = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
_SELECT = "SELECT token_hash, id, CAST(document AS BLOB) FROM locks"
_INSERT = f"INSERT INTO locks (id, token_hash, {_COLUMNS}) VALUES (?, ?, {_PLACES})"
_SELECT_KEY = (
    "SELECT fencing_token, (SELECT id FROM locks WHERE id = lock_id) FROM lock_keys"
    " WHERE (service, environment, resource) = (?, ?, ?)"
)
_COUNT_HELD = "SELECT count(*) FROM (SELECT 1 FROM locks WHERE owner = ? AND NOT expired LIMIT ?)"
_FREE_KEY = "UPDATE lock_keys SET lock_id = NULL WHERE (service, environment, resource) = (?, ?, ?)"
FORGET_ENDED = "DELETE FROM ended_locks WHERE id IN (SELECT id FROM ended_locks WHERE ended_at < ? LIMIT ?)"
_SELECT_ENDED = "SELECT ending, ended_at, reason, token_hash, id, CAST(document AS BLOB) FROM ended_locks"


def select(db: apsw.Connection, lock_id: str) -> locks.HeldLock | None:
    """Return the lock of an id with the hash of its token, or None."""
    row = db.execute(f"{_SELECT} WHERE id = ?", (lock_id,)).fetchone()
    return None if row is None else _held(*row)


def select_key(db: apsw.Connection, key: locks.LockKey) -> locks.KeyState:
    """Return the last fencing token of a key and the lock that holds it."""
    last, holder_id = db.execute(_SELECT_KEY, key).fetchone() or (0, None)
    return locks.KeyState(last, None if holder_id is None else select(db, holder_id))


def select_of_event(db: apsw.Connection, event_id: str) -> Sequence[locks.HeldLock]:
    """Return the locks of an event, oldest first."""
    where = "WHERE event_id = ? AND event_id <> '' ORDER BY created_at, id"
    return [_held(*row) for row in db.execute(f"{_SELECT} {where}", (event_id,))]


def select_page(db: apsw.Connection, where: locks.LockFilter, page: Page) -> Reading[lock_pb.Lock]:
    """Read the matching locks of a page, newest first."""
    clauses, bindings = _clauses(where)
    if page.after is not None:
        clauses += " AND (created_at, id) < (?, ?)"
        bindings += page.after
    rows = db.execute(
        f"{_SELECT} WHERE {clauses} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        (*bindings, page.rows(-1), page.offset),
    )
    reading = Reading[lock_pb.Lock](page)
    all(reading.take(_held(*row).lock) for row in rows)
    return reading


def count(db: apsw.Connection, where: locks.LockFilter) -> int:
    """Count the matching locks."""
    clauses, bindings = _clauses(where)
    return int(db.execute(f"SELECT count(*) FROM locks WHERE {clauses}", bindings).get)


def select_leases(db: apsw.Connection) -> Sequence[locks.LeaseState]:
    """Return the state of every lock."""
    rows = db.execute("SELECT id, ttl, lock_delay, renewals, expired FROM locks")
    return [locks.LeaseState._make(row)._replace(expired=bool(row[-1])) for row in rows]


def acquire(db: apsw.Connection, claim: locks.HeldLock, most: int | None) -> locks.Acquired:
    """Store a new lock with the next fencing token of its key; its owner may hold `most`.

    Raises:
        TrackerError: RESOURCE_EXHAUSTED; it holds so many.
        LockHeldError: The key is held, with another token.
        LockTokenUsedError: The claim's token has taken this key before, and that lock has ended.
    """
    key = locks.lock_key(claim.lock)
    state = select_key(db, key)
    used = None if state.holder else _select_used(db, key, claim.token_hash)
    acquired = locks.decide_claim(state, claim, clock.now(), used=used)
    if not acquired.replayed:
        lock = acquired.lock
        if lock.owner and most is not None:
            locks.require_room(lock.owner, int(db.execute(_COUNT_HELD, (lock.owner, most)).get), most)
        _hold_key(db, key, lock)
        document = lock.to_json()
        db.execute(_INSERT, (lock.id, claim.token_hash, *_columns(key, lock), document))
        log_created(db, RecordKind.LOCK, lock.id, document)
    return acquired


def add_key(db: apsw.Connection, stored: StoredKey) -> None:
    """Store a key of another store and the lock that holds it, unless the key is there."""
    key, holder = stored.key, stored.holder
    db.execute(
        "INSERT INTO lock_keys VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (*key, stored.fencing_token, None if holder is None else holder.id),
    )
    if holder is not None and db.changes():
        lock = parse(lock_pb.Lock, holder.id, holder.document)
        db.execute(_INSERT, (holder.id, holder.token_hash, *_columns(key, lock), holder.document))


def update(db: apsw.Connection, stored: lock_pb.Lock, lock: lock_pb.Lock) -> lock_pb.Lock:
    """Replace a stored lock and return the new document.

    Raises:
        LockHeldError: Another lock holds the key it moves to.
    """
    key = locks.lock_key(lock)
    if locks.moves(stored, lock):
        lock = locks.decide_move(select_key(db, key), lock, clock.now())
        db.execute(_FREE_KEY, locks.lock_key(stored))
        _hold_key(db, key, lock)
    document = lock.to_json()
    if not locks.is_renewal(stored, lock):
        log_updated(db, RecordKind.LOCK, stored.id, document)
    db.execute(
        f"UPDATE locks SET ({_COLUMNS}) = ({_PLACES}) WHERE id = ?",
        (*_columns(key, lock), document, stored.id),
    )
    return lock


def end(db: apsw.Connection, held: locks.HeldLock, release: locks.Release) -> None:
    """Delete a lock, and write what follows from its end; its key still names it."""
    lock_id, end = held.lock.id, locks.decide_end(held, release)
    if end.remembered is not None:
        _remember(db, end.remembered)
    log_deleted(db, RecordKind.LOCK, lock_id, release.ending, release.reason)
    db.execute("DELETE FROM locks WHERE id = ?", (lock_id,))
    if end.entry is not None:
        event_records.append_entry(db, *end.entry)


def select_ended(db: apsw.Connection, lock_id: str) -> locks.EndedLock | None:
    """Return how the lock of an id ended, or None."""
    return _ended(db.execute(f"{_SELECT_ENDED} WHERE id = ?", (lock_id,)).fetchone())


def add_ended(db: apsw.Connection, stored: StoredEnd) -> None:
    """Store the end of a lock of another store, unless it is there."""
    db.execute(
        "INSERT INTO ended_locks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (stored.id, *stored.key, stored.at, stored.ending, stored.reason, stored.token_hash, stored.document),
    )


def _held(token_hash: bytes, lock_id: str, document: bytes) -> locks.HeldLock:
    return locks.HeldLock(parse(lock_pb.Lock, lock_id, document), token_hash)


def _ended(row: tuple[str, int, str, bytes, str, bytes] | None) -> locks.EndedLock | None:
    if row is None:
        return None
    ending, at, reason, token_hash, lock_id, document = row
    lock = parse(lock_pb.Lock, lock_id, document)
    return locks.EndedLock(lock, token_hash, locks.Ending(ending), at, reason)


def _select_used(db: apsw.Connection, key: locks.LockKey, token_hash: bytes) -> locks.EndedLock | None:
    """Return how the lock ended that a token acquired a key with, or None."""
    if not token_hash:
        return None
    where = "token_hash = ? AND token_hash <> x'' AND (service, environment, resource) = (?, ?, ?)"
    return _ended(db.execute(f"{_SELECT_ENDED} WHERE {where}", (token_hash, *key)).fetchone())


def _remember(db: apsw.Connection, ended: locks.EndedLock) -> None:
    """Store how a lock ended; called before its row is deleted."""
    db.execute(
        "INSERT INTO ended_locks"
        " SELECT id, service, environment, resource, ?, ?, ?, token_hash, document FROM locks WHERE id = ?",
        (ended.at, ended.ending, ended.reason, ended.lock.id),
    )


def _hold_key(db: apsw.Connection, key: locks.LockKey, lock: lock_pb.Lock) -> None:
    db.execute(
        "INSERT INTO lock_keys VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET fencing_token = excluded.fencing_token, lock_id = excluded.lock_id",
        (*key, lock.fencing_token, lock.id),
    )


def _clauses(where: locks.LockFilter) -> tuple[str, tuple[int | str, ...]]:
    given = {column: value for column, value in where._asdict().items() if value is not None}
    return " AND ".join(["true", *(f"{column} = ?" for column in given)]), tuple(given.values())


def _columns(key: locks.LockKey, lock: lock_pb.Lock) -> tuple[int | str, ...]:
    return (*key, lock.event_id, locks.created_at(lock), *locks.lease_state(lock)[1:])
