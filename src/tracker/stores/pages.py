"""Pages of ordered results.

A store reads one record more than a page has, to know whether any remain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

T = TypeVar("T")
Cursor: TypeAlias = tuple[int | str, ...]
"""The sort key of a record in its list."""


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
    bytes: int | None = None

    def rows(self, everything: int) -> int:
        """Return how many records to read; a limit of `everything` means all to the database."""
        return everything if self.limit is None else self.limit + 1


@dataclass(slots=True)
class Reading(Generic[T]):
    """The records of a page while they are read; `more` is whether another record follows."""

    page: Page
    records: list[T] = field(default_factory=list)
    more: bool = False
    _bytes: int = 0

    def has_room(self, size: int) -> bool:
        """Return whether the next record, with a document of a size, belongs to the page."""
        page = self.page
        self._bytes += size
        if self.records:
            full = len(self.records) == page.limit
            self.more = full or (page.bytes is not None and self._bytes > page.bytes)
        return not self.more


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


def known_total(records: Sized, page: Page) -> Total | None:
    """Return the total if nothing has to be counted: an earlier page has it, or these are all records."""
    if page.total is not None:
        return page.total
    is_first = page.after is None and not page.offset
    is_last = page.limit is None or len(records) <= page.limit
    return Total(len(records)) if is_first and is_last else None


def counted(number: int, up_to: int | None) -> Total:
    """Return the total for a count that stops when it exceeds `up_to`."""
    return Total(number) if up_to is None or number <= up_to else Total(up_to, estimated=True)


def found(records: Sequence[T], page: Page, cursor: Callable[[T], Cursor], total: Total) -> Found[T]:
    """Return a page of records, of which one more than its limit may be given."""
    more = page.limit is not None and len(records) > page.limit
    given = records[: page.limit] if more else records
    return Found(given, total.records, cursor(given[-1]) if more and given else None, total.estimated)


def first_number(page: Page) -> int:
    """Return the number of the first entry of a page of numbered entries, from 0."""
    return page.offset if page.after is None else int(page.after[0])
