"""Counts of the messages of senders in SQLite, and messages that recorded nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracker.stores.intakes import KeptMessage, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from tracker.stores.intakes import Place
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

SELECT_TALLIES = f"SELECT {', '.join(Tally._fields)} FROM intakes"
SELECT_MESSAGES = f"SELECT {', '.join(KeptMessage._fields)} FROM intake_messages"
_WITHOUT_BODY = SELECT_MESSAGES.replace("body,", "'',", 1)
_ADD_TALLY = (
    f"INSERT INTO intakes ({', '.join(Tally._fields)})"
    f" VALUES ({', '.join('?' * len(Tally._fields))})"
    " ON CONFLICT (sender) DO "
)
_COUNT = (
    f"{_ADD_TALLY} UPDATE SET seen_at = max(seen_at, excluded.seen_at),"
    " recorded = recorded + excluded.recorded,"
    " ignored = ignored + excluded.ignored, refused = refused + excluded.refused,"
    " failed = failed + excluded.failed, skew = coalesce(excluded.skew, skew),"
    " problem = CASE WHEN excluded.problem_at >= problem_at THEN excluded.problem ELSE problem END,"
    " problem_at = max(problem_at, excluded.problem_at)"
)
_KEEP = (
    f"INSERT INTO intake_messages ({', '.join(KeptMessage._fields)})"
    f" VALUES ({', '.join('?' * len(KeptMessage._fields))}) ON CONFLICT (id) DO NOTHING"
)
_FORGET = (
    "DELETE FROM intake_messages WHERE id IN (SELECT id FROM intake_messages WHERE received_at < ? LIMIT ?)"
)
_FORGOTTEN_AT_ONCE = 100


@dataclass(eq=False)
class SqliteIntakes:
    """The `IntakeStore` in SQLite."""

    _writer: Writer
    _reader: Reader

    async def count(self, tallies: Sequence[Tally]) -> None:
        await self._writer.change(lambda db: db.executemany(_COUNT, tallies))

    async def tallies(self) -> Sequence[Tally]:
        sql = f"{SELECT_TALLIES} ORDER BY sender"
        return await self._reader.read(lambda db: [Tally(*row) for row in db.execute(sql)])

    async def keep(self, message: KeptMessage) -> None:
        await self._writer.change(lambda db: db.execute(_KEEP, message))

    async def settle(self, message: KeptMessage) -> None:
        sql = "UPDATE intake_messages SET outcome = ?, reason = ?, replayed_at = ? WHERE id = ?"
        values = (message.outcome, message.reason, message.replayed_at, message.id)
        await self._writer.change(lambda db: db.execute(sql, values))

    async def get(self, message_id: str) -> KeptMessage | None:
        sql = f"{SELECT_MESSAGES} WHERE id = ?"
        row = await self._reader.read(lambda db: db.execute(sql, (message_id,)).fetchone())
        return None if row is None else KeptMessage(*row)

    async def list(self, sender: str, outcome: int, after: Place | None, most: int) -> Sequence[KeptMessage]:
        conditions: list[str] = []
        values: list[Any] = []
        if sender:
            conditions.append("sender = ?")
            values.append(sender)
        if outcome:
            conditions.append("outcome = ?")
            values.append(outcome)
        if after is not None:
            conditions.append("(received_at, id) < (?, ?)")
            values += after
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"{_WITHOUT_BODY}{where} ORDER BY received_at DESC, id DESC LIMIT {most}"
        return await self._reader.read(lambda db: [KeptMessage(*row) for row in db.execute(sql, values)])

    async def sizes(self, sender: str) -> Sequence[tuple[str, int]]:
        sql = "SELECT id, body_bytes FROM intake_messages WHERE sender = ? ORDER BY received_at DESC, id DESC"
        return await self._reader.read(lambda db: [(row[0], row[1]) for row in db.execute(sql, (sender,))])

    async def drop(self, ids: Sequence[str]) -> None:
        sql = "DELETE FROM intake_messages WHERE id IN (SELECT value FROM json_each(?))"
        await self._writer.change(lambda db: db.execute(sql, (json.dumps([*ids]),)))

    async def forget(self, before: int) -> None:
        await self._writer.change_in_steps(_FORGET, (before, _FORGOTTEN_AT_ONCE))


def add_tally(db: apsw.Connection, tally: Tally) -> None:
    """Add the counts of a sender as a migration has them, unless it has counts."""
    db.execute(f"{_ADD_TALLY} NOTHING", tally)


def add_message(db: apsw.Connection, message: KeptMessage) -> None:
    """Add a message as a migration has it, unless it is there."""
    db.execute(_KEEP, message)
