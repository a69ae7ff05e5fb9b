"""The consumers of the change log, in SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.changes import ConsumerState, Position

if TYPE_CHECKING:
    import apsw

    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_SELECT = "SELECT log, number, at, server, beats FROM consumers WHERE name = ?"
_PUT = "INSERT OR REPLACE INTO consumers (name, log, number, at, server, beats) VALUES (?, ?, ?, ?, ?, ?)"


class SqliteConsumers:
    """The `ConsumerStore` in SQLite."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader

    async def get(self, name: str) -> ConsumerState | None:
        return await self._reader.read(lambda db: _select(db, name))

    async def put(self, name: str, state: ConsumerState, instead_of: ConsumerState | None) -> bool:
        def step(db: apsw.Connection) -> bool:
            if _select(db, name) != instead_of:
                return False
            db.execute(_PUT, (name, *state.position, state.server, state.beats))
            return True

        return await self._writer.change(step)


def _select(db: apsw.Connection, name: str) -> ConsumerState | None:
    row = db.execute(_SELECT, (name,)).fetchone()
    return None if row is None else ConsumerState(Position(*row[:3]), *row[3:])
