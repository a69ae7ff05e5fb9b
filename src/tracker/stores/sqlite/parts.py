"""Parts of an ordered result."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tracker.stores.base import Found

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.domain.paging import Cursor
    from tracker.stores.base import Slice

T = TypeVar("T")


def rows_to_read(part: Slice) -> int:
    """Return the LIMIT of a part: one record more than it gives, to know whether any remain; -1 for all."""
    return -1 if part.limit is None else part.limit + 1


def found(records: list[T], part: Slice, cursor: Callable[[T], Cursor], count: Callable[[], int]) -> Found[T]:
    """Return the answer for a part of which up to `rows_to_read` records were read.

    `count` is asked for the total only where the records read don't tell it.
    """
    more = part.limit is not None and len(records) > part.limit
    given = records[: part.limit] if more else records
    whole = part.after is None and not part.offset and not more
    return Found(
        records=given,
        total=len(given) if whole else count(),
        next=cursor(given[-1]) if more and given else None,
    )
