"""The head of a request over HTTP, beyond what the parser checks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Headers: TypeAlias = "Sequence[tuple[bytes, bytes]]"
"""Names in lower case, and values."""

_VERSIONS = ("1.1", "1.0")
_CODINGS = (b"te", b"transfer-encoding")
_HOST = re.compile(rb"[\w.~!$&'()*+,;=%:\[\]-]*")
_UPGRADE = (b"connection", b"upgrade", b"http2-settings")


def mistake(version: str, headers: Headers) -> str:
    """Return why RFC 9112 refuses a request that the parser has accepted; "" for one that is right."""
    hosts = [value for name, value in headers if name == b"host"]
    if version not in _VERSIONS:
        return "the version of HTTP is neither 1.1 nor 1.0"
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        return f"expected one header Host, got {len(hosts)}"
    if hosts and not _HOST.fullmatch(hosts[0]):
        return "the header Host is not a name or an address, with or without a port"
    if version == "1.0" and any(name in _CODINGS for name, _ in headers):
        return "HTTP/1.0 has no transfer codings"
    return ""


def without_upgrade(method: bytes, url: bytes, headers: Headers) -> bytes:
    """Return the head of a request as it would be without the offer to speak another protocol.

    The parser drops the body of a request with such an offer, as if it were accepted. Some client
    libraries offer HTTP/2 with every request, and expect an answer over HTTP/1.1 all the same.
    """
    lines = [b"%s %s HTTP/1.1" % (method, url)]
    lines += [b"%s: %s" % header for header in headers if header[0] not in _UPGRADE]
    if any(name == b"connection" and b"close" in value.lower() for name, value in headers):
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", b""])
