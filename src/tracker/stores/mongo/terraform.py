"""States of Terraform in MongoDB.

A content is stored before the state that has it, and deleted after the state has it no longer. What a server
that died in between has left is deleted by a later change of the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tracker.pb import terraform_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse
from tracker.stores.mongo import writes
from tracker.stores.mongo.pages import read_page
from tracker.stores.pages import found
from tracker.stores.terraform import StatePart, contents_of, joined
from tracker.time_text import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.stores.idempotency import Once
    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.deliveries import Deliveries
    from tracker.stores.mongo.writes import Document
    from tracker.stores.pages import Found, Page

NAME = "terraform_states"
"""The collection of states."""

PARTS = "terraform_parts"
"""The collection of the parts of their contents."""

_LEFT: Final = HOUR
"""Microseconds after which a part that no state has was left by a server that died."""
_THERE: Document = {"tombstone": None}
_FIELDS = StatePart._fields[1:]


@dataclass(eq=False)
class MongoTerraform:
    """The `TerraformStore` in MongoDB."""

    _database: Database
    _deliveries: Deliveries

    async def modify(
        self,
        state_id: str,
        change: Callable[[terraform_pb.State | None], terraform_pb.State],
        parts: Sequence[StatePart] = (),
        once: Once[terraform_pb.State] | None = None,
    ) -> terraform_pb.State:
        before: terraform_pb.State | None = None

        def change_stored(stored: Document | None) -> tuple[terraform_pb.State, Document]:
            nonlocal before
            before = None if stored is None else _state(stored)
            state = change(before)
            return state, {"_id": state_id, "document": state.to_json()}

        for part in parts:
            await self._database.run(partial(self._add, part))
        state = await self._deliveries.upsert(NAME, RecordKind.STATE, state_id, change_stored, once)
        kept = contents_of(state)
        gone = contents_of(before) - kept
        left = {"state": state_id, "at": {"$lt": self._database.now() - _LEFT}, "content": {"$nin": [*kept]}}
        if parts or gone:
            await self._forget({"$or": [{"content": {"$in": [*gone]}, "state": state_id}, left]})
        return state

    async def _add(self, part: StatePart) -> None:
        await writes.insert_all(self._database.newest(PARTS), [part_document(part)])

    async def _forget(self, where: Document) -> None:
        await self._database.run(lambda: writes.delete_all(self._database.newest(PARTS), where))

    async def get(self, state_id: str) -> terraform_pb.State | None:
        async with self._database.asking(NAME) as states:
            stored = await states.find_one({"_id": state_id} | _THERE, {"document": 1})
        return None if stored is None else _state(stored)

    async def content(self, content_id: str) -> bytes | None:
        # Ids of parts begin with that of the content, so the index of ids finds them in their order.
        where = {"_id": {"$gte": f"{content_id}:", "$lt": f"{content_id};"}}
        async with self._database.asking(PARTS) as parts:
            rows = [row async for row in parts.find(where, {"data": 1}, sort=[("_id", 1)])]
        return joined(row["data"] for row in rows)

    async def delete(self, state_id: str, check: Callable[[terraform_pb.State], None]) -> bool:
        contents: set[str] = set()

        def check_stored(stored: Document) -> None:
            nonlocal contents
            state = _state(stored)
            check(state)
            contents = contents_of(state)

        deleted = await self._deliveries.delete(NAME, RecordKind.STATE, state_id, None, check_stored)
        if deleted:
            await self._forget({"state": state_id, "content": {"$in": [*contents]}})
        return deleted

    async def find(self, page: Page) -> Found[terraform_pb.State]:
        async with self._database.asking(NAME) as states:
            reading, total = await read_page(
                states, _THERE, {"_id": 1}, page, partial(parse, terraform_pb.State)
            )
        return found(reading, lambda state: (state.id,), total)


def part(row: Document) -> StatePart:
    """Return the part in a document."""
    return StatePart(row["_id"], *(row[name] for name in _FIELDS))


def part_document(stored: StatePart) -> Document:
    """Return the document of a part."""
    return {"_id": stored.id, **dict(zip(_FIELDS, stored[1:], strict=True))}


def _state(stored: Document) -> terraform_pb.State:
    return parse(terraform_pb.State, stored["_id"], stored["document"])
