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


def found(
    records: list[T],
    part: Slice,
    cursor: Callable[[T], Cursor],
    count: Callable[[], int],
    up_to: int | None = None,
) -> Found[T]:
    """Return the answer for a part of which up to `rows_to_read` records were read.

    `count` is asked for the total only where the records read don't tell it; what it returns above `up_to`
    is a sign that there are more.
    """
    more = part.limit is not None and len(records) > part.limit
    given = records[: part.limit] if more else records
    whole = part.after is None and not part.offset and not more
    total = len(given) if whole else count()
    estimated = up_to is not None and not whole and total > up_to
    return Found(
        records=given,
        total=up_to if estimated and up_to is not None else total,
        next=cursor(given[-1]) if more and given else None,
        estimated=estimated,
    )
