"""Pages of ordered results.

A store reads one record more than a page has, to know whether any remain.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from protobuf import Message

T = TypeVar("T")
M = TypeVar("M", bound="Message")
D = TypeVar("D", bytes, str)
Cursor: TypeAlias = tuple[int | str, ...]
"""The sort key of a record in its list."""


def size_of(document: bytes | str) -> int:
    """Return the bytes of a document."""
    return len(document) if isinstance(document, bytes) or document.isascii() else len(document.encode())


class Total(NamedTuple):
    """The number of matching records; an `estimated` one is approximate or a minimum."""

    records: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which records of an ordered result to return.

    `limit` None means all remaining records. `after` continues after the record of the cursor; `offset` skips
    that many records first. `total` is that of an earlier page: it is returned again, not counted. A page of
    more than one record has up to `bytes` of documents.
    """

    limit: int | None = None
    offset: int = 0
    after: Cursor | None = None
    total: Total | None = None
    bytes: int = sys.maxsize

    def rows(self, everything: int) -> int:
        """Return how many records to read; a limit of `everything` means all to the database."""
        return everything if self.limit is None else self.limit + 1


@dataclass(slots=True)
class Reading(Generic[T]):
    """The records of a page while they are read; `more` is whether another record follows."""

    page: Page
    records: list[T] = field(default_factory=list)
    more: bool = False
    _number: int = 0
    _bytes: int = 0

    def take(self: Reading[M], record: M) -> bool:
        """Add the next record if it belongs to the page; return whether it does."""
        if self.has_room(len(record.to_binary())):
            self.records.append(record)
        return not self.more

    def has_room(self, size: int) -> bool:
        """Return whether the next record, with a document of a size, belongs to the page."""
        page = self.page
        self._bytes += size
        if (self._bytes > page.bytes or self._number == page.limit) and self._number:
            self.more = True
            return False
        self._number += 1
        return True

    def within(self, rows: Iterable[tuple[str, D]]) -> Iterator[tuple[str, D]]:
        """Yield those of some names and documents that belong to the page."""
        for row in rows:
            if not self.has_room(size_of(row[1])):
                return
            yield row


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A page of an ordered result, the number of matching records, and the start of the next page.

    `next` is the cursor of the last record, or None if no record follows. An `estimated` total is approximate
    or a minimum.
    """

    records: Sequence[T]
    total: int
    next: Cursor | None
    estimated: bool = False


def known_total(reading: Reading[T]) -> Total | None:
    """Return the total if nothing has to be counted: an earlier page has it, or these are all records."""
    page = reading.page
    if page.total is not None:
        return page.total
    is_first = page.after is None and not page.offset
    return Total(len(reading.records)) if is_first and not reading.more else None


def counted(number: int, up_to: int | None) -> Total:
    """Return the total for a count that stops when it exceeds `up_to`."""
    return Total(number) if up_to is None or number <= up_to else Total(up_to, estimated=True)


def found(reading: Reading[T], cursor: Callable[[T], Cursor], total: Total) -> Found[T]:
    """Return a page that was read."""
    records = reading.records
    return Found(records, total.records, cursor(records[-1]) if reading.more else None, total.estimated)


def first_number(page: Page) -> int:
    """Return the number of the first entry of a page of numbered entries, from 0."""
    return page.offset if page.after is None else int(page.after[0])
