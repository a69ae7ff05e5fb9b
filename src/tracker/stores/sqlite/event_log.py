"""What happened to events, in SQLite; triggers of the schema write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.pb import event_pb
from tracker.stores.changes import ChangeKind, ChangesForgottenError, LoggedChange
from tracker.stores.documents import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import apsw

    from tracker.stores.sqlite.reader import Reader
    from tracker.stores.sqlite.writer import Writer

_BEHIND = (
    "SELECT log.number, log.at, log.kind, log.id, CAST(coalesce(log.document, events.document) AS BLOB)"
    " FROM event_log log LEFT JOIN events ON log.document IS NULL AND events.id = log.id"
    " WHERE log.number > ? ORDER BY log.number LIMIT ?"
)
_END = "SELECT coalesce(max(number), 0) FROM event_log"


class SqliteEventLog:
    """The `EventLog` in SQLite. One process has the file: what it commits is all there is to tell of."""

    poll_seconds: float | None = None

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._writer = writer
        self._reader = reader
        self.name = ""

    async def open(self) -> None:
        """Learn which log this is."""
        self.name = await self._reader.read(lambda db: str(db.execute("SELECT name FROM event_log_name").get))

    def notify(self, grown: Callable[[], None]) -> None:
        """Call `grown` after each commit."""
        self._writer.notify(grown)

    async def end(self) -> int:
        """Return the number of the last change."""
        return await self._reader.read(lambda db: int(db.execute(_END).get))

    async def read(self, after: int, most: int) -> Sequence[LoggedChange]:
        """Return the changes behind a number."""

        def query(db: apsw.Connection) -> Sequence[LoggedChange]:
            changes = [_change(*row) for row in db.execute(_BEHIND, (after, most))]
            last = after if changes else int(db.execute(_END).get)
            if last != after or (changes and changes[0].number != after + 1):
                raise ChangesForgottenError
            return changes

        return await self._reader.read(query, consistent=True)


def _change(number: int, at: int, kind: int, event_id: str, document: bytes | None) -> LoggedChange:
    event = None if document is None else parse(event_pb.Event, event_id, document)
    return LoggedChange(number, at, ChangeKind(kind), event)
