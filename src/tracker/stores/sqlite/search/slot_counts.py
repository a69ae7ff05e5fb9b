"""Counts of all events of some 19 hours by the values of fields, remembered until one of these changes."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracker.domain.query.fields import Kind
from tracker.stores.events import COUNTED
from tracker.stores.sqlite.search.queries import value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import apsw

    from tracker.domain.query.fields import Field

_BITS: Final = 36
"""A slot has 2^36 microseconds, as in the table `event_slots`."""
_MOST_VALUES: Final = 100_000
"""Values that are remembered, which take some 10 MiB."""
_FIRST: Final = 32
"""The character that stands for the number 0."""

Counts = dict[str, Counter[str | int]]
"""How many events have each value, by the names of fields."""


class Slots(NamedTuple):
    """The counts of whole slots of a period, and the parts of the period at both ends that they lack."""

    counts: Counts
    rest: Sequence[tuple[int, int]]


class SlotCounts:
    """Remembers the counts of slots, each with the version that the slot had; for all threads."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, Counts]] = {}
        self._values = 0
        self._lock = threading.Lock()

    def of_period(self, db: apsw.Connection, since: int, until: int) -> Slots:
        """Return the counts of a period by the fields of `COUNTED`."""
        first, last = -(-since >> _BITS), until >> _BITS
        if first >= last:
            return Slots({}, [(since, until)])
        sums: Counts = {field.name: Counter() for field in COUNTED}
        asked = "SELECT slot, version FROM event_slots WHERE slot >= ? AND slot < ?"
        versions: list[tuple[Any, ...]] = db.execute(asked, (first, last)).fetchall()
        for slot, version in versions:
            known = self._known.get(slot)
            counts = known[1] if known and known[0] == version else self._counted(db, slot, version)
            for name, values in counts.items():
                sums[name].update(values)
        return Slots(sums, [(since, first << _BITS), (last << _BITS, until)])

    def _counted(self, db: apsw.Connection, slot: int, version: int) -> Counts:
        source = "FROM events INDEXED BY events_by_time WHERE time >= ? AND time < ?"
        bounds = (slot << _BITS, (slot + 1) << _BITS)
        fields = tuple(COUNTED)
        counts = counts_of(fields, db.execute(counting(fields, "count(*)", source), bounds))
        with self._lock:
            self._forget(slot)
            while self._known and self._values > _MOST_VALUES:
                self._forget(next(iter(self._known)))
            self._known[slot] = version, counts
            self._values += sum(map(len, counts.values()))
        return counts

    def _forget(self, slot: int) -> None:
        _, counts = self._known.pop(slot, (0, {}))
        self._values -= sum(map(len, counts.values()))


def counting(fields: Sequence[Field], number: str, source: str) -> str:
    """Return the statement that counts events by the combinations of values of fields, at most one of text.

    Grouping one text takes half the time of grouping six values: a character for each number, then the text.
    """
    numbers, texts = _divided(fields)
    values = [f"char({', '.join(f'{value_of(field)} + {_FIRST}' for field in numbers)})"]
    values += map(value_of, texts)
    return f"SELECT {' || '.join(values)}, {number} {source} GROUP BY 1"


def counts_of(fields: Sequence[Field], rows: Iterable[tuple[str, int]], sign: int = 1) -> Counts:
    """Return the counts by each field, from the rows of `counting`."""
    numbers, texts = _divided(fields)
    counts: list[Counter[str | int]] = [Counter() for _ in fields]
    for key, events in rows:
        found: list[str | int] = [ord(each) - _FIRST for each in key[: len(numbers)]]
        for of_field, value in zip(counts, [*found, key[len(numbers) :]], strict=False):
            of_field[value] += sign * events
    return {field.name: each for field, each in zip([*numbers, *texts], counts, strict=True)}


def _divided(fields: Sequence[Field]) -> tuple[Sequence[Field], Sequence[Field]]:
    texts = [field for field in fields if field.kind is Kind.KEYWORD]
    return [field for field in fields if field not in texts], texts
