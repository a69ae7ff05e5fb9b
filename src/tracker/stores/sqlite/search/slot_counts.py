"""Counts of events by the values of fields, remembered until an event of these 19 hours changes in one."""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tracker.domain.query.fields import Kind
from tracker.stores.events import COUNTED
from tracker.stores.sqlite.search.queries import value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    import apsw

    from tracker.domain.query.fields import Field

_BITS: Final = 36
"""A slot has 2^36 microseconds, as in the table `event_slots`."""
_FINE_BITS: Final = 33
"""A part of a slot that a period ends in has 2^33 microseconds, some two hours."""
_WITHIN: Final = "FROM events INDEXED BY events_by_time WHERE time >= ? AND time < ?"
_MOST_VALUES: Final = 100_000
"""Values that are remembered, which take some 10 MiB."""
_FIRST: Final = 32
"""The character that stands for the number 0."""

Counts = dict[str, Counter[str | int]]
"""How many events have each value, by the names of fields."""


class Slots(NamedTuple):
    """The counts of whole slots of a period and of parts of slots, and what they lack of the period."""

    counts: Counts
    rest: Sequence[tuple[int, int]]


class SlotCounts:
    """Remembers the counts of slots and intervals, each with the version that it had; for all threads."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[int, Counts]] = {}
        self._values = 0
        self._lock = threading.Lock()

    def of_period(self, db: apsw.Connection, since: int, until: int) -> Slots:
        """Return the counts of a period by the fields of `COUNTED`."""
        sums: Counts = {field.name: Counter() for field in COUNTED}
        rest = self._add(db, (since, until), _counted, sums)
        return Slots(sums, rest)

    def total(self, db: apsw.Connection, since: int, until: int) -> int:
        """Return the number of events of a period."""
        sums: Counts = {"": Counter()}
        rest = self._add(db, (since, until), _total, sums)
        return sum(sums[""].values()) + sum(_total(db, *each)[""].total() for each in rest)

    def _add(
        self,
        db: apsw.Connection,
        period: tuple[int, int],
        count: Callable[[apsw.Connection, int, int], Counts],
        sums: Counts,
        bits: int = _BITS,
    ) -> Sequence[tuple[int, int]]:
        """Add what is counted of slots and of parts of slots; return what they lack of a period."""
        since, until = period
        first, last, finer = -(-since >> bits), until >> bits, _BITS - bits
        left = [period] if first >= last else [(since, first << bits), (last << bits, until)]
        if first < last:
            asked = "SELECT slot, version FROM event_slots WHERE slot BETWEEN ? AND ?"
            slots: list[tuple[Any, ...]] = db.execute(asked, (first >> finer, (last - 1) >> finer)).fetchall()
            for slot, version in slots:
                for part in range(max(first, slot << finer), min(last, (slot + 1) << finer)):
                    bounds = (part << bits, (part + 1) << bits)
                    counts = self._remembered((bounds, count), version, partial(count, db, *bounds))
                    for name, values in counts.items():
                        sums[name].update(values)
        if bits == _FINE_BITS:
            return left
        return [part for each in left for part in self._add(db, each, count, sums, _FINE_BITS)]

    def of_interval(
        self,
        db: apsw.Connection,
        interval: tuple[int, int],
        counted: Hashable,
        count: Callable[[], Counter[str | int]],
    ) -> Counter[str | int]:
        """Return what `count` does for an interval, by fields of `COUNTED`; `counted` tells it from others.

        The version of the interval is the sum of those of its slots, none of which ever falls.
        """
        low, high = interval
        asked = "SELECT ifnull(sum(version), 0) FROM event_slots WHERE slot BETWEEN ? AND ?"
        version = int(db.execute(asked, (low >> _BITS, (high - 1) >> _BITS)).get)
        return self._remembered((interval, counted), version, lambda: {"": count()})[""]

    def _remembered(self, key: Hashable, version: int, count: Callable[[], Counts]) -> Counts:
        known = self._known.get(key)
        counts = known[1] if known and known[0] == version else count()
        with self._lock:  # what was asked for last is forgotten last
            self._forget(key)
            while self._known and self._values > _MOST_VALUES:
                self._forget(next(iter(self._known)))
            self._known[key] = version, counts
            self._values += _size(counts)
        return counts

    def _forget(self, key: Hashable) -> None:
        if known := self._known.pop(key, None):
            self._values -= _size(known[1])


def _counted(db: apsw.Connection, since: int, until: int) -> Counts:
    fields = tuple(COUNTED)
    return counts_of(fields, db.execute(counting(fields, "count(*)", _WITHIN), (since, until)))


def _total(db: apsw.Connection, since: int, until: int) -> Counts:
    return {"": Counter({0: int(db.execute(f"SELECT count(*) {_WITHIN}", (since, until)).get)})}


def _size(counts: Counts) -> int:
    return sum(1 + len(values) for values in counts.values())


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
