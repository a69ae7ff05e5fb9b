"""The change log and its consumers in SQLite. An entry is inserted in the transaction of its change."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tracker.stores.changes import (
    LARGEST_LOGGED,
    ORIGIN,
    PRINCIPAL,
    Batch,
    ChangeKind,
    ChangesForgottenError,
    ConsumerState,
    Position,
    RecordKind,
    read_change,
)
from tracker.stores.sqlite import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import apsw

    from tracker.domain.locks import Ending
    from tracker.stores.changes import Rewrite
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_KEYS: Final = {
    RecordKind.EVENT: ("events", "id"),
    RecordKind.LOCK: ("locks", "id"),
    RecordKind.CATALOG_ENTRY: ("catalog", "name"),
    RecordKind.ACCESS: ("access", "id"),
    RecordKind.LINK: ("links", "id"),
    RecordKind.WEBHOOK: ("webhooks", "id"),
    RecordKind.STATE: ("terraform_states", "id"),
    RecordKind.FREEZE: ("freezes", "id"),
    RecordKind.RETENTION_POLICY: ("retention_policies", "id"),
    RecordKind.LEGAL_HOLD: ("legal_holds", "id"),
}
"""The table of each kind of record, and the column that identifies one."""

_ADD = "INSERT INTO changes (at, principal, origin, record, kind, id, before, after, ending, reason)"
_SHORT = f"iif(octet_length(document) <= {LARGEST_LOGGED}, document, NULL)"
_NEW = f"iif(octet_length(?4) <= {LARGEST_LOGGED}, ?4, NULL)"
_CREATED: Final = f"{_ADD} VALUES (?1, ?2, ?3, ?6, {ChangeKind.CREATED}, ?5, NULL, {_NEW}, NULL, NULL)"
# A scalar subquery, since INSERT ... SELECT into a table with a trigger would go through a temporary table.
_UPDATED: Final = {
    kind: f"{_ADD} VALUES (?1, ?2, ?3, {kind}, {ChangeKind.UPDATED}, ?5,"
    f" (SELECT {_SHORT} FROM {table} WHERE {key} = ?5), {_NEW}, NULL, NULL)"
    for kind, (table, key) in _KEYS.items()
}
_DELETED: Final = {
    kind: f"{_ADD} VALUES (?1, ?2, ?3, {kind}, {ChangeKind.DELETED}, ?4,"
    f" (SELECT document FROM {table} WHERE {key} = ?4), NULL, ?5, ?6)"
    for kind, (table, key) in _KEYS.items()
}
_CREATED_SINCE = f"SELECT ?, ?, ?, {RecordKind.EVENT}, {ChangeKind.CREATED}, id, NULL, {_SHORT}, NULL, NULL"
_EVENTS_CREATED: Final = f"{_ADD} {_CREATED_SINCE} FROM events WHERE number > ? ORDER BY number"

_CURRENT = " ".join(
    f"WHEN {kind} THEN (SELECT document FROM {table} WHERE {key} = changes.id)"
    for kind, (table, key) in _KEYS.items()
)
_AFTER = f"iif(kind = {ChangeKind.DELETED}, NULL, coalesce(after, CASE record {_CURRENT} END))"
_SELECT: Final = (
    "SELECT number, at, record, kind, id, principal,"
    f" CAST(before AS BLOB), CAST({_AFTER} AS BLOB), ending, reason, origin"
    " FROM changes WHERE number > ? AND number <= ?"
)
_AT: Final = "SELECT at FROM changes WHERE number = ?"
_FIRST: Final = "SELECT number, at FROM changes ORDER BY number LIMIT 1"
_LAST: Final = "SELECT number, at FROM changes ORDER BY number DESC LIMIT 1"

_REWRITTEN_AT_ONCE: Final = 20

_SELECT_CONSUMER: Final = "SELECT log, number, at, server, beats FROM consumers WHERE name = ?"
_END_LEASES: Final = "UPDATE consumers SET server = '' WHERE server != ''"
_PUT_CONSUMER: Final = (
    "INSERT OR REPLACE INTO consumers (name, log, number, at, server, beats) VALUES (?, ?, ?, ?, ?, ?)"
)


def log_created(db: apsw.Connection, record: RecordKind, record_id: str, document: str) -> None:
    """Log that a record was created."""
    db.execute(_CREATED, (clock.now(), PRINCIPAL.get(), ORIGIN.get(), document, record_id, record))


def log_events_created(db: apsw.Connection, after: int) -> None:
    """Log the creation of the events whose rows have numbers above `after`."""
    db.execute(_EVENTS_CREATED, (clock.now(), PRINCIPAL.get(), ORIGIN.get(), after))


def log_updated(db: apsw.Connection, record: RecordKind, record_id: str, document: str) -> None:
    """Log that a record is updated; called before its row changes."""
    db.execute(_UPDATED[record], (clock.now(), PRINCIPAL.get(), ORIGIN.get(), document, record_id))


def log_deleted(
    db: apsw.Connection,
    record: RecordKind,
    record_id: str,
    ending: Ending | str | None = None,
    reason: str | None = None,
) -> None:
    """Log that a record is deleted; called before its row is."""
    db.execute(_DELETED[record], (clock.now(), PRINCIPAL.get(), ORIGIN.get(), record_id, ending, reason))


@dataclass(eq=False)
class SqliteChangeLog:
    """The `ChangeLog` in SQLite. One process has the file: it makes all the changes."""

    _writer: Writer
    _reader: Reader
    _kept: int
    _name: str = ""
    poll_seconds: float | None = None

    async def open(self) -> None:
        def step(db: apsw.Connection) -> str:
            db.execute("UPDATE change_log SET kept = ?1 WHERE kept <> ?1", (self._kept,))
            return str(db.execute("SELECT name FROM change_log").get)

        self._name = await self._writer.change(step)

    def notify(self, grown: Callable[[], None]) -> None:
        self._writer.notify(grown)

    async def end(self) -> Position:
        return await self._reader.read(self._end)

    async def oldest(self) -> Position:
        def query(db: apsw.Connection) -> Position:
            first = db.execute(_FIRST).fetchone()
            return Position(self._name) if first is None or first[0] == 1 else Position(self._name, *first)

        return await self._reader.read(query)

    async def read(self, after: Position, most: int, kinds: Sequence[RecordKind] | None = None) -> Batch:
        of_kinds = "" if kinds is None else f" AND record IN ({', '.join(str(int(kind)) for kind in kinds)})"
        select = f"{_SELECT}{of_kinds} ORDER BY number"

        def query(db: apsw.Connection) -> Batch:
            end = self._end(db)
            if after.number:
                at = db.execute(_AT, (after.number,)).get
            else:
                at = 0 if not end.number or db.execute(_FIRST).get[0] == 1 else None
            if after != Position(self._name, after.number, at):
                raise ChangesForgottenError
            if end.number > after.number + most:
                number = after.number + most
                end = Position(self._name, number, db.execute(_AT, (number,)).get)
            rows = db.execute(select, (after.number, end.number))
            return Batch([read_change(Position(self._name, *row[:2]), *row[2:]) for row in rows], end)

        return await self._reader.read(query)

    async def rewrite(self, texts: Sequence[str], rewrite: Rewrite) -> int:
        contains = "instr(before, ?1) OR instr(after, ?1)"
        sql = (
            "SELECT number, record, id, before, after FROM changes"
            f" WHERE number > ?2 AND ({contains}) ORDER BY number LIMIT ?3"
        )
        changed: set[int] = set()

        def rewritten(record: int, record_id: str, document: str | None) -> str | None:
            return None if document is None else rewrite(record, record_id, document)

        def step(db: apsw.Connection, text: str, after: int) -> int:
            last = 0
            rows: list[Any] = db.execute(sql, (text, after, _REWRITTEN_AT_ONCE)).fetchall()
            for last, record, record_id, *documents in rows:
                new = [rewritten(record, record_id, each) for each in documents]
                if new != documents:
                    db.execute("UPDATE changes SET before = ?, after = ? WHERE number = ?", (*new, last))
                    changed.add(last)
            return last

        for text in texts:
            after = 0
            while after := await self._writer.change(partial(step, text=text, after=after)):
                pass
        return len(changed)

    def _end(self, db: apsw.Connection) -> Position:
        return Position(self._name, *(db.execute(_LAST).fetchone() or (0, 0)))


@dataclass(eq=False)
class SqliteConsumers:
    """The `ConsumerStore` in SQLite."""

    _writer: Writer
    _reader: Reader

    async def open(self) -> None:
        """End the leases of earlier servers: whoever has the file open is the only one."""
        await self._writer.change(
            lambda db: db.execute("UPDATE consumers SET server = '' WHERE server != ''")
        )

    async def get(self, name: str) -> ConsumerState | None:
        return await self._reader.read(lambda db: _select_consumer(db, name))

    async def put(self, name: str, state: ConsumerState, instead_of: ConsumerState | None) -> bool:
        def step(db: apsw.Connection) -> bool:
            if _select_consumer(db, name) != instead_of:
                return False
            db.execute(_PUT_CONSUMER, (name, *state.position, state.server, state.beats))
            return True

        return await self._writer.change(step)


def _select_consumer(db: apsw.Connection, name: str) -> ConsumerState | None:
    row = db.execute(_SELECT_CONSUMER, (name,)).fetchone()
    return None if row is None else ConsumerState(Position(*row[:3]), *row[3:])
