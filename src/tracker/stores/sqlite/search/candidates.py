"""The events that the index of words has for a part of a query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    import apsw

    from tracker.domain.query.tree import Node
    from tracker.stores.sqlite.search.queries import Condition

FEW: Final = 10_000
"""The number of candidates up to which they are fetched by their numbers and sorted."""

_DENSE: Final = 5
"""One of this number of newest events must be a candidate for a page to be filled by reading documents."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The events that the index has for a part of a query, as a statement that selects their numbers.

    `newest` are those numbers in descending order, at most `FEW` + 1.
    """

    node: Node
    numbers: Condition
    newest: Sequence[int]

    @property
    def few(self) -> bool:
        """Whether `newest` has all numbers."""
        return len(self.newest) <= FEW

    @property
    def condition(self) -> Condition:
        """The condition for candidates; it selects older ones only to check an event older than `newest`."""
        newest = "number IN (SELECT value FROM json_each(?))"
        numbers = orjson.dumps(self.newest).decode()
        if self.few:
            return f"({newest})", (numbers,)
        sql, bindings = self.numbers
        return f"({newest} OR number < ? AND number IN ({sql}))", (numbers, self.newest[-1], *bindings)

    def is_dense(self, highest: int) -> bool:
        """Return whether many of the events up to a number are candidates."""
        return not self.few and self.newest[-1] > highest - _DENSE * FEW


def candidates_of(db: apsw.Connection, node: Node, numbers: Condition) -> Candidates:
    """Look up the candidates for a part of a query, whose numbers a statement selects."""
    sql, bindings = numbers
    rows = db.execute(f"{sql} ORDER BY 1 DESC LIMIT ?", (*bindings, FEW + 1))
    return Candidates(node, numbers, [number for (number,) in rows])
