"""Idempotency keys: their syntax, what counts as the same request, and how long they are remembered.

After draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Final

from protobuf import message_to_json_value

from tracker.errors import FieldViolation, invalid
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from protobuf import DescMethod, Message

KEPT_MICROS: Final = 24 * 60 * 60 * MICROS
"""How long after its use a key is remembered, in microseconds."""

KEY_PATTERN: Final = r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"|([!#-+\--:<-\[\]-~]{1,255})'
"""A string of RFC 8941, with or, as most clients send it, without quotation marks."""
_KEY = re.compile(KEY_PATTERN)
_SHOWN = 60
_ESCAPED = re.compile(r"\\(.)")


def idempotency_key(given: str) -> str:
    """Return the key in a header.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    found = _KEY.fullmatch(given)
    if found is None:
        message = (
            "Idempotency-Key: expected 1 to 255 visible ASCII characters, in quotation marks if there are"
            f' spaces, commas or semicolons among them, got "{given[:_SHOWN]}"'
        )
        raise invalid(FieldViolation("", message))
    quoted, bare = found.groups()
    return bare or _ESCAPED.sub(r"\1", quoted)


def is_over(used_at: int, now: int) -> bool:
    """Return whether the use of a key at a moment (microseconds) is forgotten at `now`."""
    return used_at <= forgotten_until(now)


def forgotten_until(now: int) -> int:
    """Return the moment (microseconds) of the latest use that is forgotten at `now`."""
    return now - KEPT_MICROS


def request_digest(method: DescMethod, request: Message) -> bytes:
    """Return the SHA-256 of an RPC and its request."""
    asked = [method.parent.type_name, method.name, message_to_json_value(request)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()
