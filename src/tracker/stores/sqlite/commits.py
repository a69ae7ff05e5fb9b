"""Commits in SQLite."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tracker.domain.commits import Commit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_COLUMNS = 'repository, sha, committed_at, service, head, base, "merge"'
SELECT = f"SELECT {_COLUMNS} FROM commits"
_ADD = (
    f"INSERT INTO commits ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (repository, sha) DO UPDATE SET committed_at = excluded.committed_at,"
    " service = excluded.service, head = iif(excluded.head = '', head, excluded.head),"
    " base = iif(excluded.head = '', base, excluded.base),"
    ' "merge" = max("merge", excluded."merge")'
)
_FORGET = (
    "DELETE FROM commits WHERE (repository, sha) IN"
    " (SELECT repository, sha FROM commits WHERE committed_at < ? LIMIT ?)"
)
_FORGOTTEN_AT_ONCE = 1_000


@dataclass(eq=False)
class SqliteCommits:
    """The `CommitStore` in SQLite."""

    _writer: Writer
    _reader: Reader

    async def add(self, commits: Sequence[Commit]) -> None:
        await self._writer.change(lambda db: db.executemany(_ADD, commits))

    async def find(self, shas: Sequence[str], repository: str | None = None) -> Sequence[Commit]:
        where, values = "sha IN (SELECT value FROM json_each(?))", [json.dumps([*shas])]
        if repository is not None:
            where, values = f"{where} AND repository = ?", [*values, repository]
        return await self._found(where, values)

    async def pushed(self, heads: Sequence[str]) -> Sequence[Commit]:
        where = "head != '' AND head IN (SELECT value FROM json_each(?))"
        return await self._found(where, [json.dumps([*heads])])

    async def _found(self, where: str, values: Sequence[str]) -> Sequence[Commit]:
        sql = f"{SELECT} WHERE {where} ORDER BY repository, sha"
        return await self._reader.read(lambda db: [Commit(*row) for row in db.execute(sql, values)])

    async def forget(self, before: int) -> None:
        await self._writer.change_in_steps(_FORGET, (before, _FORGOTTEN_AT_ONCE))


def add(db: apsw.Connection, commit: Commit) -> None:
    """Add a commit as a migration has it."""
    values: tuple[Any, ...] = commit
    db.execute(_ADD, values)
