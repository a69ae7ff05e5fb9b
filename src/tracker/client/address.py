"""The addresses of servers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from urllib.parse import SplitResult


def server_address(text: str) -> SplitResult:
    """Return the parts of the address of a server.

    Raises:
        ValueError: It is not an HTTP address, or has a name and a password in it.
    """
    expected = "expected an address such as http://localhost:8080"
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"{expected}, got {text!r}")
    if parts.username is not None:
        raise ValueError(f"{expected}, without a name and a password")
    return parts
