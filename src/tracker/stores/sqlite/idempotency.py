"""Idempotency keys in SQLite, each written in the transaction of its change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from tracker.stores.idempotency import Answered, AnsweredBeforeError, Once, forgotten_until, is_over

if TYPE_CHECKING:
    from collections.abc import Callable

    import apsw

    from tracker.stores.contents import StoredAnswer
    from tracker.stores.idempotency import KeyUse
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

R = TypeVar("R")
T = TypeVar("T")

_FORGOTTEN_AT_ONCE = 10
"""The number of expired keys that each new one deletes: more than one, so they don't accumulate."""

_SELECT = "SELECT at, request, answer FROM idempotency_keys WHERE key IN (?, ?) ORDER BY at DESC"
_INSERT = "INSERT INTO idempotency_keys (key, request, at, answer) VALUES (?, ?, ?, ?) ON CONFLICT (key)"
_REPLACE = f"{_INSERT} DO UPDATE SET request = excluded.request, at = excluded.at, answer = excluded.answer"
_ADD = f"{_INSERT} DO NOTHING"
_FORGET = (
    "DELETE FROM idempotency_keys WHERE key IN"
    " (SELECT key FROM idempotency_keys WHERE at <= ? ORDER BY at LIMIT ?)"
)


@dataclass(eq=False)
class SqliteIdempotency:
    """The `IdempotencyStore` in SQLite; a reader never sees a change that is not committed."""

    _writer: Writer
    _reader: Reader

    async def find(self, key: str, now: int, *, also: str = "") -> Answered | None:
        return await self._reader.read(lambda db: _select(db, key, now, also))

    async def remember(self, use: KeyUse, answer: bytes) -> None:
        await self._writer.change(once_only(lambda _: answer, Once(use, bytes)))


def once_only(
    step: Callable[[apsw.Connection], R],
    once: Once[T] | None,
    changed: Callable[[R], bool] = lambda result: result is not None,
) -> Callable[[apsw.Connection], R]:
    """Return a step that makes the change of another one once for its key.

    The key is used if `changed` accepts the result of the step, which is then a T.
    """
    if once is None:
        return step

    def keyed(db: apsw.Connection) -> R:
        answered = _select(db, once.use.key, once.use.at)
        if answered is not None:
            raise AnsweredBeforeError(answered)
        result = step(db)
        if changed(result):
            use, answer = once.use, once.answer(cast("T", result))
            db.execute(_REPLACE, (use.key, use.request, use.at, answer))
            db.execute(_FORGET, (forgotten_until(use.at), _FORGOTTEN_AT_ONCE))
        return result

    return keyed


def add(db: apsw.Connection, stored: StoredAnswer) -> None:
    """Store a key of another store, unless it is there."""
    db.execute(_ADD, stored)


def _select(db: apsw.Connection, key: str, now: int, also: str = "") -> Answered | None:
    row = db.execute(_SELECT, (key, also)).fetchone()
    return None if row is None or is_over(row[0], now) else Answered(*row[1:])
