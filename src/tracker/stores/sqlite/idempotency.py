"""Idempotency keys in SQLite: each is written by the transaction of the change that it was used for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar, overload

import apsw

from tracker.domain.idempotency import forgotten_until, is_over
from tracker.stores.idempotency import Answered, AnsweredBeforeError, Once

if TYPE_CHECKING:
    from tracker.stores.contents import StoredAnswer
    from tracker.stores.idempotency import KeyUse
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

T = TypeVar("T")
Step: TypeAlias = Callable[[apsw.Connection], T]

_FORGOTTEN_AT_ONCE = 10
"""How many expired keys each new one deletes: more than are added, so they don't pile up."""

_SELECT = "SELECT at, request, answer FROM idempotency_keys WHERE key = ?"
_INSERT = "INSERT INTO idempotency_keys (key, request, at, answer) VALUES (?, ?, ?, ?) ON CONFLICT (key)"
_REPLACE = f"{_INSERT} DO UPDATE SET request = excluded.request, at = excluded.at, answer = excluded.answer"
_ADD = f"{_INSERT} DO NOTHING"
_FORGET = (
    "DELETE FROM idempotency_keys WHERE key IN"
    " (SELECT key FROM idempotency_keys WHERE at <= ? ORDER BY at LIMIT ?)"
)


class SqliteIdempotency:
    """The `IdempotencyStore` in SQLite; no change is under way where a reader could see that."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def find(self, key: str, now: int) -> Answered | None:
        return await self._reader.read(lambda db: _select(db, key, now))

    async def remember(self, use: KeyUse, answer: bytes) -> None:
        keyed = once_only(lambda _: answer, Once(use, bytes))
        await self._writer.change(keyed)


@overload
def once_only(step: Step[T | None], once: Once[T] | None) -> Step[T | None]: ...


@overload
def once_only(step: Step[T], once: Once[T] | None, changed: Callable[[T], bool]) -> Step[T]: ...


def once_only(
    step: Step[T | None], once: Once[T] | None, changed: Callable[[T], bool] = lambda _: True
) -> Step[T | None]:
    """Return a step that does what another one does, once for each key.

    A step has changed nothing if it returns None or `changed` rejects its result.
    """
    if once is None:
        return step

    def keyed(db: apsw.Connection) -> T | None:
        answered = _select(db, once.use.key, once.use.at)
        if answered is not None:
            raise AnsweredBeforeError(answered)
        made = step(db)
        if made is not None and changed(made):
            _remember(db, once.use, once.answer(made))
        return made

    return keyed


def add(db: apsw.Connection, stored: StoredAnswer) -> None:
    """Store what another store remembers of a key, unless it is there."""
    db.execute(_ADD, stored)


def _remember(db: apsw.Connection, use: KeyUse, answer: bytes) -> None:
    db.execute(_REPLACE, (use.key, use.request, use.at, answer))
    db.execute(_FORGET, (forgotten_until(use.at), _FORGOTTEN_AT_ONCE))


def _select(db: apsw.Connection, key: str, now: int) -> Answered | None:
    row = db.execute(_SELECT, (key,)).fetchone()
    return None if row is None or is_over(row[0], now) else Answered(*row[1:])
