"""How requests ask for a page of a list, the same for every list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from tracker.domain.paging import parse_page_token
from tracker.errors import FieldViolation, invalid
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from protobuf.wkt import Int32Value, UInt32Value

N = TypeVar("N", int, "int | None")


class PagedRequest(Protocol):
    """A request for a page of a list."""

    per_page: UInt32Value | None
    page: Int32Value | None
    page_token: str


def requested_page(request: PagedRequest, query: str, *, default: int | None) -> Page:
    """Return the page of a list that a request asks for.

    Zero counts as not given. Without `per_page`, a page has `default` records (None: all records, or 100
    where a page is asked for by number). `query` is that of `domain.paging.page_token`.

    Raises:
        TrackerError: INVALID_ARGUMENT for a bad token, or a token together with a page number.
    """
    number = given(request.page, 0)
    after = parse_page_token(request.page_token, query)
    if after is not None and number:
        raise invalid(FieldViolation("page", "give either page or page_token, not both"))
    limit = given(request.per_page, default)
    if number and limit is None:
        limit = DEFAULT_PER_PAGE
    return Page(limit=limit, offset=(number - 1) * limit if number and limit else 0, after=after)


def given(number: Int32Value | UInt32Value | None, default: N) -> N:
    """Return a number of a request, or `default` where it is not given; zero counts as not given."""
    return (number.value if number is not None else 0) or default


DEFAULT_PER_PAGE = 100
"""Records of a page whose size the caller did not give."""
