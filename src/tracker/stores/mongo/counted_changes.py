"""What changes count: the values of an event before and after each, as the log and outboxes have them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.stores.changes import RecordKind
from tracker.stores.mongo import courier, event_records
from tracker.stores.mongo.outbox import entries_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bson import ObjectId

    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.event_records import Counted
    from tracker.stores.mongo.writes import Collection, Document

_MOST_ROWS = 1_000
"""Rows of the log that are read together."""

_MOST_WAITING = 5_000
"""Events with an outbox that are read together."""

_FIELDS: Final = ("op", "record", "id", "counted")


class UnknownCountsError(Exception):
    """The changes that have to be counted are not known."""


class CountedChange(NamedTuple):
    """A change of an event, and what is counted before and after it: None where there is no event."""

    op: ObjectId
    event_id: str
    before: Counted | None
    after: Counted | None


class Row(NamedTuple):
    """A row of the log, by its id and time."""

    number: int = 0
    at: int = 0


@dataclass(eq=False)
class CountedChanges:
    """The changes of events in the log, and in outboxes.

    Methods raise `UnknownCountsError` where a server of an earlier version has made one.
    """

    _database: Database

    async def end(self) -> Row:
        """Return the last row of the log."""
        last = await self._log.find_one({}, ["at"], sort=[("_id", -1)])
        return Row() if last is None else _row(last)

    async def logged(self, after: Row, most: int | None = None) -> tuple[Sequence[CountedChange], Row]:
        """Return the changes in up to `most` rows of the log after one, by default in all, and the last row.

        Raises:
            UnknownCountsError: The log does not have the row, or has too many after it.
        """
        fields = ["at", *(f"changes.{name}" for name in _FIELDS)]
        limit = (most or _MOST_ROWS) + 1
        found = self._log.find({"_id": {"$gte": after.number}}, fields, sort=[("_id", 1)], limit=limit)
        rows = await found.to_list()
        if most is None and len(rows) == limit:
            raise UnknownCountsError
        if after.number and (not rows or _row(rows.pop(0)) != after):
            raise UnknownCountsError
        if not after.number and rows and rows[0]["_id"] != 1:
            raise UnknownCountsError
        return [*_changes(rows, "changes")], _row(rows[-1]) if rows else after

    async def waiting(self) -> Sequence[CountedChange]:
        """Return the changes in outboxes; some may be logged, too."""
        events = self._database.confirmed(event_records.NAME)
        fields = [f"outbox.log.{name}" for name in _FIELDS]
        rows = await events.find({"outbox.at": {"$exists": True}}, fields, limit=_MOST_WAITING).to_list()
        if len(rows) == _MOST_WAITING:
            raise UnknownCountsError
        return [change for row in rows for change in _changes(entries_of(row), "log")]

    async def not_logged(
        self, waiting: Iterable[CountedChange], logged: Iterable[CountedChange], last: Row
    ) -> Sequence[CountedChange]:
        """Return those changes in outboxes that the log does not have up to a row; it ends with `logged`."""
        left = {change.op: change for change in waiting}
        for change in logged:
            left.pop(change.op, None)
        if left:
            where = {"changes.op": {"$in": [*left]}, "_id": {"$lte": last.number}}
            for row in await self._log.find(where, ["changes.op"]).to_list():
                for entry in row["changes"]:
                    left.pop(entry["op"], None)
        return [*left.values()]

    @property
    def _log(self) -> Collection:
        return self._database.confirmed(courier.NAME)


def _row(stored: Document) -> Row:
    return Row(stored["_id"], stored["at"])


def _changes(holders: Iterable[Document], part: str) -> Iterator[CountedChange]:
    """Yield the changes of events among the log entries of rows, or of outbox entries."""
    for holder in holders:
        for entry in holder.get(part, ()):
            if entry["record"] == RecordKind.EVENT:
                if "counted" not in entry:
                    raise UnknownCountsError
                yield CountedChange(entry["op"], entry["id"], *entry["counted"])
