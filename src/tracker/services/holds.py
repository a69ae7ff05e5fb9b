"""The legal holds that are stored, as rules read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.domain.query.lexer import QueryError
from tracker.domain.query.text import parse
from tracker.domain.query.tree import EVERYTHING
from tracker.domain.retention import Holds

if TYPE_CHECKING:
    from tracker.domain.query.tree import Node
    from tracker.pb import retention_pb
    from tracker.services.context import Context
    from tracker.stores.records import RecordStore


@dataclass(frozen=True, slots=True)
class LegalHolds:
    """Reads the legal holds anew for each deletion, so that a hold is in effect once it is answered."""

    _store: RecordStore[retention_pb.LegalHold]
    _context: Context

    async def current(self) -> Holds:
        """Return the holds of now."""
        return Holds([(each.name, self._query(each)) for each in await self._store.find()])

    def _query(self, hold: retention_pb.LegalHold) -> Node:
        """Return the query of a hold; one of another version that can't be read holds everything."""
        try:
            return parse(hold.query, self._context.query_clock())
        except QueryError as error:
            fields = {"id": hold.id, "name": hold.name, "error": str(error)}
            self._context.log.error(  # noqa: TRY400 - no defect of this program
                "legal hold can't be read, and holds everything", **fields
            )
            return EVERYTHING
