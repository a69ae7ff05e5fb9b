"""Pages of ordered results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.paging import Cursor

T = TypeVar("T")


class Total(NamedTuple):
    """How many records match; where it is `estimated`, about as many, or at least."""

    records: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Which records of an ordered result to return.

    `limit` None means all that remain. `after` continues after the record that the cursor names;
    `offset` skips that many records first. `total` is that of an earlier page:
    it is returned again, not counted.
    """

    limit: int | None = None
    offset: int = 0
    after: Cursor | None = None
    total: Total | None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A page of an ordered result, how many records match in all, and where the next page starts.

    `next` is the cursor of the last record given, or None where nothing remains after it. With `estimated`,
    `total` is about how many match, or how many at least.
    """

    records: Sequence[T]
    total: int
    next: Cursor | None
    estimated: bool = False
