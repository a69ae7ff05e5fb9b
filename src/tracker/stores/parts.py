"""Parts of an ordered result, of which one record more than asked for was read to know whether any remain."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tracker.stores.pages import Found, Total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from tracker.domain.paging import Cursor
    from tracker.stores.pages import Page

T = TypeVar("T")


def known_total(records: Sized, part: Page) -> Total | None:
    """Return the total where nothing has to be counted: a part before told it, or the records are all."""
    if part.total is not None:
        return part.total
    is_first = part.after is None and not part.offset
    is_last = part.limit is None or len(records) <= part.limit
    return Total(len(records)) if is_first and is_last else None


def counted(number: int, up_to: int | None) -> Total:
    """Return the total of a count that ends where it comes above `up_to`."""
    return Total(number) if up_to is None or number <= up_to else Total(up_to, estimated=True)


def found(records: Sequence[T], part: Page, cursor: Callable[[T], Cursor], total: Total) -> Found[T]:
    """Return the answer for a part."""
    more = part.limit is not None and len(records) > part.limit
    given = records[: part.limit] if more else records
    return Found(
        records=given,
        total=total.records,
        next=cursor(given[-1]) if more and given else None,
        estimated=total.estimated,
    )


def was_counted(answer: Found[T], part: Page) -> bool:
    """Return whether the answer for a part took a count."""
    return part.total is None and (answer.next is not None or part.after is not None or part.offset > 0)
