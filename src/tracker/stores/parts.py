"""Pages of an ordered result, of which one record more than asked for was read to know whether any remain."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tracker.stores.pages import Found, Total

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from tracker.domain.paging import Cursor
    from tracker.stores.pages import Page

T = TypeVar("T")


def known_total(records: Sized, page: Page) -> Total | None:
    """Return the total where nothing has to be counted: an earlier page has it, or these are all."""
    if page.total is not None:
        return page.total
    is_first = page.after is None and not page.offset
    is_last = page.limit is None or len(records) <= page.limit
    return Total(len(records)) if is_first and is_last else None


def counted(number: int, up_to: int | None) -> Total:
    """Return the total of a count that ends where it comes above `up_to`."""
    return Total(number) if up_to is None or number <= up_to else Total(up_to, estimated=True)


def found(records: Sequence[T], page: Page, cursor: Callable[[T], Cursor], total: Total) -> Found[T]:
    """Return the answer for a page."""
    more = page.limit is not None and len(records) > page.limit
    given = records[: page.limit] if more else records
    return Found(
        records=given,
        total=total.records,
        next=cursor(given[-1]) if more and given else None,
        estimated=total.estimated,
    )


def was_counted(answer: Found[T], page: Page) -> bool:
    """Return whether the answer for a page took a count."""
    return page.total is None and (answer.next is not None or page.after is not None or page.offset > 0)
