"""Signatures of webhooks: HMACs of the raw body, compared in constant time."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Verify: TypeAlias = "Callable[[bytes, bytes, Mapping[str, str]], bool]"
"""Returns whether a message is from who has the secret, given the secret, the raw body and the headers."""

_MOST: Final = 16
"""Signatures of a message that are looked at."""


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
