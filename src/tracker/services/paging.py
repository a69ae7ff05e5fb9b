"""Pages of a list: by number, or by an opaque token that stays valid while records are added and deleted."""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import json
from itertools import islice
from operator import gt, lt
from typing import TYPE_CHECKING, Protocol, TypeVar

from tracker.errors import FieldViolation, invalid
from tracker.stores.pages import Page, Reading, Total, found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from protobuf import Message
    from protobuf.wkt import Int32Value, UInt32Value

    from tracker.errors import TrackerError
    from tracker.pb import delivery_pb, version_pb
    from tracker.services.context import Call
    from tracker.stores.pages import Cursor, Found

PAGE_BYTES = 3 * 2**20
"""Bytes of the documents of a page: gRPC clients take messages of up to 4 MiB, unless told otherwise."""

LIST_BYTES = 32 * 2**20
"""Bytes of a list over REST that clients expect to be whole."""

MOST_READ = 32 * 2**20
"""Bytes of the documents that are read for a list of what connects events."""

_FRAME = 6
"""Bytes that a record takes in an answer besides its own."""

DEFAULT_PER_PAGE = 100
"""Records of a page whose size the caller did not give."""

_CHECK_BYTES = 8


def _check(body: bytes, query: str) -> bytes:
    return hashlib.blake2b(query.encode() + b"\0" + body, digest_size=_CHECK_BYTES).digest()


def own(query: str, call: Call) -> str:
    """Return a query for `page_token` whose tokens are valid for one principal only."""
    return query if call.principal.is_anonymous else f"{query} of {call.principal.id}"


def without_page(
    request: version_pb.GetDeployedVersionsRequest | delivery_pb.GetDeliveryMetricsRequest,
) -> bytes:
    """Return what a request asks for, on whatever page."""
    asked = copy.copy(request)
    asked.page_token, asked.limit = "", None
    return asked.to_binary()


def page_token(cursor: Cursor | None, query: str) -> str:
    """Return the token that continues `query` after `cursor`, or "" where nothing remains.

    `query` identifies the list and its filters; the token is valid for that query only.
    """
    if cursor is None:
        return ""
    body = json.dumps(cursor, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(body, query) + body).rstrip(b"=").decode()


def parse_page_token(token: str, query: str) -> Cursor | None:
    """Return the cursor in a token of `page_token`, or None for "".

    Raises:
        TrackerError: INVALID_ARGUMENT for a token that was changed, cut, or made for another query.
    """
    if not token:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad_token() from None
    check, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if check != _check(body, query):
        raise _bad_token()
    try:
        cursor = json.loads(body)
    except (ValueError, RecursionError):  # of a check that somebody has computed
        raise _bad_token() from None
    if not isinstance(cursor, list) or not all(map(_is_stored, cursor)):
        raise _bad_token()
    if page_token(tuple(cursor), query) != token:
        raise _bad_token()
    return tuple(cursor)


def _is_stored(value: object) -> bool:
    """Return whether this can be a value of a record: a text, or a number of 64 bits."""
    return isinstance(value, str) or (isinstance(value, int) and -(2**63) <= value < 2**63)


def _bad_token() -> TrackerError:
    text = "not a token of this list; pass next_page_token of the answer before, with the same filters"
    return invalid(FieldViolation("page_token", text))


N = TypeVar("N", int, "int | None")
M = TypeVar("M", bound="Message")


class PagedRequest(Protocol):
    """A request for a page of a list."""

    per_page: UInt32Value | None
    page: Int32Value | None
    page_token: str


def requested_page(
    request: PagedRequest, query: str, *, default: int | None, call: Call | None = None
) -> Page:
    """Return the page of a list that a request asks for.

    Zero counts as not given. Without `per_page`, a page has `default` records (None: all records, or 100
    where a page is asked for by number). `query` is that of `page_token`. The caller of a `call` expects a
    whole list where it gives no `per_page`.

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
    offset = (number - 1) * limit if number and limit else 0
    most = PAGE_BYTES if limit is not None or call is None else answer_bytes(call)
    return Page(limit=limit, offset=offset, after=after, bytes=most)


def answer_bytes(call: Call) -> int:
    """Return how many bytes of records an answer may have to callers that expect a whole list."""
    return LIST_BYTES if call.wire == "rest" else PAGE_BYTES


def note_short_page(request: PagedRequest, page: Page, found: Found[M], call: Call) -> None:
    """Warn a caller who asked for a page by its number, and got fewer records than the page has.

    The page with the next number begins where it would if this one were whole.
    """
    number, records = given(request.page, 0), len(found.records)
    if number and found.next is not None and page.limit is not None and records < page.limit:
        text = f"page {number} has {records} of {page.limit} records; next_page_token leads to the others"
        call.notes = [*call.notes, ("warning", f'299 - "{text}"')]


def fitting(
    records: Sequence[M], cursor: Cursor | None, most: int = PAGE_BYTES
) -> tuple[Sequence[M], Cursor | None]:
    """Return the records of a list that fit an answer, from a cursor on, and the cursor of the rest."""
    first, size = 0 if cursor is None else int(cursor[0]), 0
    for place in range(first, len(records)):
        size += len(records[place].to_binary()) + _FRAME
        if size > most and place > first:
            return records[first:place], (place,)
    return records[first:], None


def page_within(
    records: Iterable[M],
    page: Page,
    within: Callable[[M], bool],
    cursor: Callable[[M], Cursor],
    *,
    descending: bool = False,
) -> Found[M]:
    """Return a page of those records of a whole list, in the order of their cursors, that are `within` it."""
    follows = lt if descending else gt
    all_within = list(filter(within, records))
    rest = (record for record in all_within if page.after is None or follows(cursor(record), page.after))
    reading = Reading[M](page)
    for record in islice(rest, page.offset, None):
        if not reading.take(record):
            break
    return found(reading, cursor, Total(len(all_within)))


def given(number: Int32Value | UInt32Value | None, default: N) -> N:
    """Return a number of a request, or `default` where it is not given; zero counts as not given."""
    return (number.value if number is not None else 0) or default
