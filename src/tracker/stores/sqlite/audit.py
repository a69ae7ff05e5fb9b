"""The audit log in SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracker.audit.chain import Entry
from tracker.stores.audit import AuditPage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import apsw

    from tracker.stores.audit import AuditFilter, Contents
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

SELECT = (
    "SELECT number, at, record, action, record_id, log, position, CAST(content AS BLOB), salt, commitment,"
    " hash FROM audit"
)
_ADD = f"INSERT INTO audit VALUES ({', '.join('?' * len(Entry._fields))})"
_FORGET = (
    "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE number < ? ORDER BY number LIMIT ?)"
)
_FORGOTTEN_AT_ONCE = 1_000


@dataclass(eq=False)
class SqliteAudit:
    """The `AuditStore` in SQLite."""

    _writer: Writer
    _reader: Reader

    async def append(self, make: Callable[[Entry | None], Sequence[Entry]]) -> Sequence[Entry]:
        def step(db: apsw.Connection) -> Sequence[Entry]:
            entries = make(_last(db, ""))
            db.executemany(_ADD, entries)
            return entries

        return await self._writer.change(step)

    async def last(self, record: str = "") -> Entry | None:
        return await self._reader.read(lambda db: _last(db, record))

    async def read(self, wanted: AuditFilter, most: int, *, newest_first: bool = False) -> AuditPage:
        where, values = _condition(wanted)
        sql = f"{SELECT} WHERE {where} ORDER BY number{' DESC' if newest_first else ''} LIMIT {most + 1}"

        def query(db: apsw.Connection) -> AuditPage:
            page = AuditPage(most)
            for row in db.execute(sql, values):
                if not page.take(entry(*row)):
                    break
            return page

        return await self._reader.read(query, may_be_long=True, searches=bool(wanted.mentions))

    async def replace(self, contents: Sequence[Contents]) -> None:
        rows = [(each.content, each.salt, each.number) for each in contents]

        def step(db: apsw.Connection) -> None:
            db.executemany("UPDATE audit SET content = ?, salt = ? WHERE number = ?", rows)

        await self._writer.change(step)

    async def forget(self, before: int) -> None:
        await self._writer.change_in_steps(_FORGET, (before, _FORGOTTEN_AT_ONCE))


def entry(*row: Any) -> Entry:  # noqa: ANN401 - columns
    """Return the entry in a row of `SELECT`."""
    fields = [*row]
    fields[7] = row[7].decode("utf-8", "surrogateescape")
    return Entry(*fields)


def add(db: apsw.Connection, stored: Entry) -> None:
    """Add an entry as a migration has it, unless it is there."""
    db.execute(f"{_ADD} ON CONFLICT (number) DO NOTHING", stored)


def _last(db: apsw.Connection, record: str) -> Entry | None:
    where, values = (" WHERE record = ?", (record,)) if record else ("", ())
    row = db.execute(f"{SELECT}{where} ORDER BY number DESC LIMIT 1", values).fetchone()
    return None if row is None else entry(*row)


def _condition(wanted: AuditFilter) -> tuple[str, tuple[Any, ...]]:
    terms: list[tuple[str, Any]] = [("number > ?", wanted.after), ("number < ?", wanted.before)]
    if wanted.record:
        terms.append(("record = ?", wanted.record))
    if wanted.record_id:
        terms.append(("record_id = ?", wanted.record_id))
    if wanted.since:
        terms.append(("at >= ?", wanted.since))
    if wanted.until < type(wanted)().until:
        terms.append(("at < ?", wanted.until))
    conditions, values = [term for term, _ in terms], [value for _, value in terms]
    if wanted.mentions:
        conditions.append(f"({' OR '.join(['instr(content, ?)'] * len(wanted.mentions))})")
        values += wanted.mentions
    return " AND ".join(conditions), tuple(values)
