"""Locks in the database: what the stores do with them inside a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from tracker.domain.locks import lock_key
from tracker.domain.times import micros
from tracker.pb import lock_pb
from tracker.stores.base import LockHeldError
from tracker.stores.sqlite.documents import parse
from tracker.stores.sqlite.parts import rows_to_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.paging import Cursor
    from tracker.stores.base import Slice

_COLUMNS = "service, environment, resource, event_id, created_at, document"
_SELECT = "SELECT id, CAST(document AS BLOB) FROM locks"


def select(db: apsw.Connection, lock_id: str) -> lock_pb.Lock | None:
    """Return the lock of an id, or None."""
    row = db.execute(f"{_SELECT} WHERE id = ?", (lock_id,)).fetchone()
    return None if row is None else parse(lock_pb.Lock, *row)


def select_of_event(db: apsw.Connection, event_id: str) -> Sequence[lock_pb.Lock]:
    """Return the locks that carry an event's id, oldest first."""
    rows = db.execute(f"{_SELECT} WHERE event_id = ? AND event_id <> '' ORDER BY created_at, id", (event_id,))
    return [parse(lock_pb.Lock, *row) for row in rows]


def select_part(db: apsw.Connection, part: Slice) -> list[lock_pb.Lock]:
    """Return the locks of a part, newest first, and the one behind it."""
    where, after = ("", ()) if part.after is None else ("WHERE (created_at, id) < (?, ?)", part.after)
    rows = db.execute(
        f"{_SELECT} {where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        (*after, rows_to_read(part), part.offset),
    )
    return [parse(lock_pb.Lock, *row) for row in rows]


def cursor(lock: lock_pb.Lock) -> Cursor:
    """Return where a lock stands in the list of locks."""
    return (_created_at(lock), lock.id)


def count(db: apsw.Connection) -> int:
    """Count the locks."""
    return int(db.execute("SELECT count(*) FROM locks").get)


def insert(db: apsw.Connection, lock: lock_pb.Lock) -> None:
    """Store a new lock.

    Raises:
        LockHeldError: Its key is held.
    """
    try:
        db.execute(
            f"INSERT INTO locks (id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - our own columns
            (lock.id, *_row(lock)),
        )
    except apsw.ConstraintError as error:
        raise _held(db, lock, error) from error


def update(db: apsw.Connection, lock_id: str, lock: lock_pb.Lock) -> None:
    """Replace a stored lock.

    Raises:
        LockHeldError: Another lock holds its key.
    """
    try:
        db.execute(
            f"UPDATE locks SET ({_COLUMNS}) = (?, ?, ?, ?, ?, ?) WHERE id = ?",  # noqa: S608 - our own columns
            (*_row(lock), lock_id),
        )
    except apsw.ConstraintError as error:
        raise _held(db, lock, error) from error


def delete(db: apsw.Connection, lock_id: str) -> None:
    """Delete a lock, where there is such a lock."""
    db.execute("DELETE FROM locks WHERE id = ?", (lock_id,))


def delete_of_event(db: apsw.Connection, event_id: str) -> None:
    """Delete the locks that carry an event's id."""
    db.execute("DELETE FROM locks WHERE event_id = ? AND event_id <> ''", (event_id,))


def _created_at(lock: lock_pb.Lock) -> int:
    return micros(lock.created_at) if lock.created_at is not None else 0


def _row(lock: lock_pb.Lock) -> tuple[int | str, ...]:
    return (*lock_key(lock), lock.event_id, _created_at(lock), lock.to_json())


def _held(db: apsw.Connection, lock: lock_pb.Lock, error: apsw.ConstraintError) -> Exception:
    """Return what a broken constraint means: a held key, or a defect."""
    row = db.execute(
        f"{_SELECT} WHERE service = ? AND environment = ? AND resource = ? AND id <> ?",
        (*lock_key(lock), lock.id),
    ).fetchone()
    return error if row is None else LockHeldError(parse(lock_pb.Lock, *row))
