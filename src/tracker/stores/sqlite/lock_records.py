"""Locks in the database: what the stores do with them inside a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.locks import (
    Acquired,
    HeldLock,
    KeyHeld,
    KeyState,
    LeaseState,
    TokenUsed,
    decide_claim,
    decide_end,
    decide_move,
    is_renewal,
    lock_key,
    moves,
)
from tracker.domain.times import duration_micros, micros
from tracker.pb import lock_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.locks import LockHeldError, LockTokenUsedError
from tracker.stores.sqlite import clock, ended_lock_records, event_records
from tracker.stores.sqlite.change_log import log_created, log_deleted, log_updated

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from tracker.domain.locks import LockFilter, LockKey, Release
    from tracker.domain.paging import Cursor
    from tracker.stores.contents import StoredKey
    from tracker.stores.pages import Page

_COLUMNS = (
    "service, environment, resource, event_id, created_at, ttl, lock_delay, renewals, expired, document"
)
_PLACES = "?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
_SELECT = "SELECT id, CAST(document AS BLOB) FROM locks"
_SELECT_HELD = "SELECT token_hash, id, CAST(document AS BLOB) FROM locks"


def select(db: apsw.Connection, lock_id: str) -> lock_pb.Lock | None:
    """Return the lock of an id, or None."""
    row = db.execute(f"{_SELECT} WHERE id = ?", (lock_id,)).fetchone()
    return None if row is None else parse(lock_pb.Lock, *row)


def select_held(db: apsw.Connection, lock_id: str) -> HeldLock | None:
    """Return the lock of an id with the hash of its token, or None."""
    row = db.execute(f"{_SELECT_HELD} WHERE id = ?", (lock_id,)).fetchone()
    return None if row is None else HeldLock(parse(lock_pb.Lock, *row[1:]), row[0])


def select_holder(db: apsw.Connection, key: LockKey) -> lock_pb.Lock | None:
    """Return the lock of a key, or None."""
    lock_id = _key_row(db, key)[1]
    return None if lock_id is None else select(db, lock_id)


def select_of_event(db: apsw.Connection, event_id: str) -> Sequence[HeldLock]:
    """Return the locks that carry an event's id, oldest first."""
    rows = db.execute(
        f"{_SELECT_HELD} WHERE event_id = ? AND event_id <> '' ORDER BY created_at, id", (event_id,)
    )
    return [HeldLock(parse(lock_pb.Lock, *row[1:]), row[0]) for row in rows]


def select_page(db: apsw.Connection, where: LockFilter, page: Page) -> list[lock_pb.Lock]:
    """Return the matching locks of a page, newest first, and the one after it."""
    clauses, bindings = _clauses(where)
    if page.after is not None:
        clauses += " AND (created_at, id) < (?, ?)"
        bindings += page.after
    rows = db.execute(
        f"{_SELECT} WHERE {clauses} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        (*bindings, page.rows(-1), page.offset),
    )
    return [parse(lock_pb.Lock, *row) for row in rows]


def cursor(lock: lock_pb.Lock) -> Cursor:
    """Return where a lock stands in the list of locks."""
    return (_created_at(lock), lock.id)


def count(db: apsw.Connection, where: LockFilter) -> int:
    """Count the matching locks."""
    clauses, bindings = _clauses(where)
    return int(db.execute(f"SELECT count(*) FROM locks WHERE {clauses}", bindings).get)  # noqa: S608 - our own columns


def select_leases(db: apsw.Connection) -> Sequence[LeaseState]:
    """Return the state of every lock."""
    rows = db.execute("SELECT id, ttl, lock_delay, renewals, expired FROM locks")
    return [
        LeaseState(lock_id, ttl, lock_delay, renewals, expired=bool(expired))
        for lock_id, ttl, lock_delay, renewals, expired in rows
    ]


def acquire(db: apsw.Connection, claim: HeldLock) -> Acquired:
    """Store a new lock with the next fencing token of its key.

    Raises:
        LockHeldError: The key is held, with another token.
        LockTokenUsedError: The claim's token has taken this key before, and that lock has ended.
    """
    key = lock_key(claim.lock)
    state = _key_state(db, key)
    used = None if state.holder else ended_lock_records.select_of_token(db, key, claim.token_hash)
    decision = decide_claim(state, claim, clock.now(), used=used)
    match decision:
        case KeyHeld(holder):
            raise LockHeldError(holder)
        case TokenUsed(ended):
            raise LockTokenUsedError(ended)
        case Acquired(lock, replayed=False):
            _hold_key(db, key, lock)
            document = lock.to_json()
            db.execute(
                f"INSERT INTO locks (id, token_hash, {_COLUMNS}) VALUES (?, ?, {_PLACES})",  # noqa: S608 - our own columns
                (lock.id, claim.token_hash, *_columns(key, lock), document),
            )
            log_created(db, RecordKind.LOCK, lock.id, document)
    return decision


def add_key(db: apsw.Connection, stored: StoredKey) -> None:
    """Store a key, and the lock that has it, as another store keeps them, unless the key is there."""
    key, holder = stored.key, stored.holder
    db.execute(
        "INSERT INTO lock_keys VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (*key, stored.fencing_token, None if holder is None else holder.id),
    )
    if holder is not None and db.changes():
        lock = parse(lock_pb.Lock, holder.id, holder.document)
        db.execute(
            f"INSERT INTO locks (id, token_hash, {_COLUMNS}) VALUES (?, ?, {_PLACES})",  # noqa: S608 - our own columns
            (holder.id, holder.token_hash, *_columns(key, lock), holder.document),
        )


def update(db: apsw.Connection, stored: lock_pb.Lock, lock: lock_pb.Lock) -> lock_pb.Lock:
    """Replace a stored lock and return the new document.

    Raises:
        LockHeldError: Another lock holds the key it moves to.
    """
    key = lock_key(lock)
    if moves(stored, lock):
        moved = decide_move(_key_state(db, key), lock, clock.now())
        if isinstance(moved, KeyHeld):
            raise LockHeldError(moved.holder)
        lock = moved
        _free_key(db, stored.id)
        _hold_key(db, key, lock)
    document = lock.to_json()
    if not is_renewal(stored, lock):
        log_updated(db, RecordKind.LOCK, stored.id, document)
    db.execute(
        f"UPDATE locks SET ({_COLUMNS}) = ({_PLACES}) WHERE id = ?",  # noqa: S608 - our own columns
        (*_columns(key, lock), document, stored.id),
    )
    return lock


def end(db: apsw.Connection, held: HeldLock, release: Release) -> None:
    """Delete a lock, with what its end leads to."""
    lock_id, end = held.lock.id, decide_end(held, release)
    _free_key(db, lock_id)
    if end.remembered is not None:
        ended_lock_records.insert(db, end.remembered)
    log_deleted(db, RecordKind.LOCK, lock_id, release.ending, release.reason)
    db.execute("DELETE FROM locks WHERE id = ?", (lock_id,))
    if end.entry is not None:
        event_records.append_entry(db, *end.entry)


def _key_state(db: apsw.Connection, key: LockKey) -> KeyState:
    last, holder_id = _key_row(db, key)
    return KeyState(last, None if holder_id is None else select_held(db, holder_id))


def _key_row(db: apsw.Connection, key: LockKey) -> tuple[int, str | None]:
    """Return the last fencing token that a key gave, 0 for none, and the id of the lock that has it."""
    row = db.execute(
        "SELECT fencing_token, lock_id FROM lock_keys WHERE (service, environment, resource) = (?, ?, ?)", key
    ).fetchone()
    return (0, None) if row is None else (row[0], row[1])


def _hold_key(db: apsw.Connection, key: LockKey, lock: lock_pb.Lock) -> None:
    db.execute(
        "INSERT INTO lock_keys VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET fencing_token = excluded.fencing_token, lock_id = excluded.lock_id",
        (*key, lock.fencing_token, lock.id),
    )


def _free_key(db: apsw.Connection, lock_id: str) -> None:
    db.execute(
        "UPDATE lock_keys SET lock_id = NULL WHERE (service, environment, resource)"
        " = (SELECT service, environment, resource FROM locks WHERE id = ?)",
        (lock_id,),
    )


def _clauses(where: LockFilter) -> tuple[str, tuple[int | str, ...]]:
    given = {
        column: value
        for column in ("service", "environment", "resource")
        if (value := getattr(where, column)) is not None
    }
    return " AND ".join(["true", *(f"{column} = ?" for column in given)]), tuple(given.values())


def _created_at(lock: lock_pb.Lock) -> int:
    return micros(lock.created_at) if lock.created_at is not None else 0


def _columns(key: LockKey, lock: lock_pb.Lock) -> tuple[int | str, ...]:
    return (
        *key,
        lock.event_id,
        _created_at(lock),
        duration_micros(lock.ttl) if lock.ttl is not None else 0,
        duration_micros(lock.lock_delay) if lock.lock_delay is not None else 0,
        lock.renewals,
        lock.expired_at is not None,
    )
