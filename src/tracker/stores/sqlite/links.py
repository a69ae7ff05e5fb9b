"""Links of the start page in SQLite."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tracker.pb import link_pb
from tracker.stores.changes import RecordKind
from tracker.stores.documents import parse, read_list
from tracker.stores.sqlite.change_log import log_created, log_deleted, log_updated
from tracker.stores.sqlite.idempotency import once_only

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import apsw

    from tracker.stores.idempotency import Once
    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_SELECT = "SELECT id, CAST(document AS BLOB) FROM links"


@dataclass(eq=False)
class SqliteLinks:
    """The `LinkStore` in SQLite."""

    _writer: Writer
    _reader: Reader

    async def create(self, link: link_pb.Link, once: Once[link_pb.Link] | None = None) -> None:
        def step(db: apsw.Connection) -> link_pb.Link:
            document = link.to_json()
            log_created(db, RecordKind.LINK, link.id, document)
            db.execute(
                'INSERT INTO links (id, "group", name, document) VALUES (?, ?, ?, ?)',
                (link.id, link.group, link.name, document),
            )
            return link

        await self._writer.change(once_only(step, once))

    async def modify(
        self,
        link_id: str,
        change: Callable[[link_pb.Link], link_pb.Link],
        once: Once[link_pb.Link] | None = None,
    ) -> link_pb.Link | None:
        def step(db: apsw.Connection) -> link_pb.Link | None:
            row = db.execute(f"{_SELECT} WHERE id = ?", (link_id,)).fetchone()
            if row is None:
                return None
            link = change(parse(link_pb.Link, *row))
            document = link.to_json()
            log_updated(db, RecordKind.LINK, link_id, document)
            db.execute(
                'UPDATE links SET "group" = ?, name = ?, document = ? WHERE id = ?',
                (link.group, link.name, document, link_id),
            )
            return link

        return await self._writer.change(once_only(step, once))

    async def delete(self, link_id: str, once: Once[bool] | None = None) -> bool:
        def step(db: apsw.Connection) -> bool:
            if not db.execute("SELECT EXISTS (SELECT 1 FROM links WHERE id = ?)", (link_id,)).get:
                return False
            log_deleted(db, RecordKind.LINK, link_id)
            db.execute("DELETE FROM links WHERE id = ?", (link_id,))
            return True

        return await self._writer.change(once_only(step, once, bool))

    async def find(self) -> Sequence[link_pb.Link]:
        def query(db: apsw.Connection) -> Sequence[link_pb.Link]:
            rows = db.execute(f'{_SELECT} ORDER BY "group", name, id')
            return read_list(partial(parse, link_pb.Link), rows)

        return await self._reader.read(query)
