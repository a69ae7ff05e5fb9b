"""States of Terraform in SQLite."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.pb import terraform_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.sqlite.change_log import log_created, log_deleted, log_updated
from tracker.stores.sqlite.idempotency import once_only
from tracker.stores.sqlite.records import page_of
from tracker.stores.terraform import contents_of, joined

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import apsw

    from tracker.stores.contents import StoredDocument
    from tracker.stores.idempotency import Once
    from tracker.stores.pages import Found, Page
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer
    from tracker.stores.terraform import StatePart

SELECT = "SELECT id, CAST(document AS BLOB) FROM terraform_states"
SELECT_PARTS = "SELECT id, state, content, at, data FROM terraform_parts"
_ADD = "INSERT INTO terraform_states (id, document) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
_ADD_PART = (
    "INSERT INTO terraform_parts (id, state, content, at, data) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING"
)
_FORGET = "DELETE FROM terraform_parts WHERE content IN (SELECT value FROM json_each(?))"


@dataclass(eq=False)
class SqliteTerraform:
    """The `TerraformStore` in SQLite."""

    _writer: Writer
    _reader: Reader

    async def modify(
        self,
        state_id: str,
        change: Callable[[terraform_pb.State | None], terraform_pb.State],
        parts: Sequence[StatePart] = (),
        once: Once[terraform_pb.State] | None = None,
    ) -> terraform_pb.State:
        def step(db: apsw.Connection) -> terraform_pb.State:
            before = _select(db, state_id)
            state = change(before)
            document = state.to_json()
            if before is None:
                db.execute(_ADD, (state_id, document))
                log_created(db, RecordKind.STATE, state_id, document)
            else:
                log_updated(db, RecordKind.STATE, state_id, document)
                db.execute("UPDATE terraform_states SET document = ? WHERE id = ?", (document, state_id))
            kept = contents_of(state)
            db.executemany(_ADD_PART, [part for part in parts if part.content in kept])
            _forget(db, contents_of(before) - kept)
            return state

        return await self._writer.change(once_only(step, once))

    async def get(self, state_id: str) -> terraform_pb.State | None:
        return await self._reader.read(lambda db: _select(db, state_id))

    async def content(self, content_id: str) -> bytes | None:
        sql = "SELECT data FROM terraform_parts WHERE content = ? ORDER BY id"

        def query(db: apsw.Connection) -> bytes | None:
            return joined(
                bytes(data) for (data,) in db.execute(sql, (content_id,)) if isinstance(data, bytes)
            )

        return await self._reader.read(query)

    async def delete(self, state_id: str, check: Callable[[terraform_pb.State], None]) -> bool:
        def step(db: apsw.Connection) -> bool:
            state = _select(db, state_id)
            if state is None:
                return False
            check(state)
            log_deleted(db, RecordKind.STATE, state_id)
            db.execute("DELETE FROM terraform_states WHERE id = ?", (state_id,))
            _forget(db, contents_of(state))
            return True

        return await self._writer.change(step)

    async def find(self, page: Page) -> Found[terraform_pb.State]:
        return await self._reader.read(
            lambda db: page_of(db, terraform_pb.State, "terraform_states", "id", page)
        )


def add(db: apsw.Connection, stored: StoredDocument) -> None:
    """Add a state as a migration has it, unless it is there."""
    db.execute(_ADD, stored)


def add_part(db: apsw.Connection, part: StatePart) -> None:
    """Add a part as a migration has it, unless it is there."""
    db.execute(_ADD_PART, part)


def _select(db: apsw.Connection, state_id: str) -> terraform_pb.State | None:
    row = db.execute(f"{SELECT} WHERE id = ?", (state_id,)).fetchone()
    return None if row is None else parse(terraform_pb.State, *row)


def _forget(db: apsw.Connection, contents: set[str]) -> None:
    if contents:
        db.execute(_FORGET, (json.dumps([*contents]),))
