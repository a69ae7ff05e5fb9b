"""Signatures of webhooks: HMACs of the raw body, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Verify: TypeAlias = "Callable[[bytes, bytes, Mapping[str, str]], bool]"
"""Returns whether a message is from who has the secret, given the secret, the raw body and the headers."""

_MOST: Final = 16
"""Signatures of a message that are looked at."""
SIGNING: Final = ":signing"
"""What the name of a product's key of Standard Webhooks ends with, beside its other secret."""
_BEGINNING: Final = "whsec_"
_FRESH_SECONDS: Final = 300
_SHORTEST_KEY, _LONGEST_KEY = 16, 128


def hexadecimal(header: str, algorithms: Mapping[str, str]) -> Verify:
    """Return what verifies signatures in a header, which has one or more with commas between them.

    Each begins with a key of `algorithms`, such as `sha256=`, whose value is the hash that it is made with;
    its digits follow. One that is valid is enough.
    """

    def is_signed(secret: bytes, body: bytes, headers: Mapping[str, str]) -> bool:
        given = headers.get(header, "").encode("latin-1", errors="replace").split(b",", _MOST)[:_MOST]
        valid = False
        for beginning, algorithm in algorithms.items():
            alike = [each.strip() for each in given if each.strip().startswith(beginning.encode())]
            if alike:
                wanted = beginning.encode() + hmac.digest(secret, body, algorithm).hex().encode()
                for each in alike:
                    valid |= hmac.compare_digest(each, wanted)
        return valid

    return is_signed


def signing_key(secret: str) -> bytes:
    """Return the key of Standard Webhooks that a text such as `whsec_…` has.

    Raises:
        ValueError: It is none, or not in standard base64.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_BEGINNING), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(_BEGINNING) or not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise ValueError(f"expected {_BEGINNING} and the base64 of {_SHORTEST_KEY} to {_LONGEST_KEY} bytes")
    return key


def is_standard(key: bytes, body: bytes, headers: Mapping[str, str], now: int) -> bool:
    """Return whether a message is signed as Standard Webhooks say, within minutes of `now` (seconds).

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    message_id, sent_at = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp"))
    content = b".".join((message_id.encode("latin-1", "replace"), sent_at.encode("latin-1", "replace"), body))
    wanted = b"v1," + base64.b64encode(hmac.digest(key, content, "sha256"))
    given = headers.get("webhook-signature", "").encode("latin-1", "replace").split(b" ", _MOST)[:_MOST]
    valid = False
    for each in given:
        valid |= hmac.compare_digest(each, wanted)
    is_time = sent_at.isascii() and sent_at.isdecimal() and len(sent_at) <= len(str(now)) + 1
    return valid and bool(message_id) and is_time and abs(now - int(sent_at)) <= _FRESH_SECONDS
