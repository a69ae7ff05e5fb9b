"""Which events a request asks for: what several calls read alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.domain.query import QueryError, parse
from tracker.errors import Code, FieldViolation, TrackerError

if TYPE_CHECKING:
    from tracker.domain.query import Clock, Node


def read_query(text: str, clock: Clock) -> Node | None:
    """Return the tree of a query, or None for no query.

    Raises:
        TrackerError: INVALID_ARGUMENT (`INVALID_QUERY`), with the column of what is wrong.
    """
    if not text:
        return None
    try:
        return parse(text, clock)
    except QueryError as error:
        raise TrackerError(
            Code.INVALID_ARGUMENT,
            f"query: {error}",
            "INVALID_QUERY",
            metadata={"column": str(error.column)},
            violations=[FieldViolation("query", str(error))],
        ) from None
