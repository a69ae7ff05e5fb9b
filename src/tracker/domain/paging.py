"""Pages of a list: by number, or by an opaque token that stays valid while records are added and deleted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, TypeAlias

from tracker.errors import FieldViolation, invalid

if TYPE_CHECKING:
    from tracker.errors import TrackerError

Cursor: TypeAlias = tuple[int | str, ...]
"""The sort key of a record in its list."""

_CHECK_BYTES = 8


def _check(body: bytes, query: str) -> bytes:
    return hashlib.blake2b(query.encode() + b"\0" + body, digest_size=_CHECK_BYTES).digest()


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
    if check != _check(body, query) or page_token(tuple(json.loads(body)), query) != token:
        raise _bad_token()
    return tuple(json.loads(body))


def _bad_token() -> TrackerError:
    text = "not a token of this list; pass next_page_token of the answer before, with the same filters"
    return invalid(FieldViolation("page_token", text))
