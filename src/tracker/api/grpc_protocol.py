"""gRPC over HTTP/2: messages in the bodies of requests and answers, and headers and trailers around them.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import binascii
import struct
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from tracker.api.http2_engine import unrepeated
from tracker.api.wires import REQUEST_ID_HEADER, binary_error, short
from tracker.errors import FieldViolation, Reason, TrackerError, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api.http2_engine import Header
    from tracker.services.context import Call

HEADERS: Sequence[Header] = (
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"grpc-accept-encoding", b"identity, deflate, gzip"),
)
"""Of every answer."""
NOT_GRPC: Sequence[Header] = ((b":status", b"415"), (b"content-length", b"0"))
"""The answer to a request of another media type."""
NOT_POST: Sequence[Header] = ((b":status", b"405"), (b"allow", b"POST"), (b"content-length", b"0"))
"""The answer to a request that is not a call."""

_OK = (b"grpc-status", b"0")
_REQUEST_ID = REQUEST_ID_HEADER.encode()
_PREFIX = struct.Struct(">?I")
"""What precedes a message: whether it is compressed, and its length."""
_DECOMPRESSORS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""The window bits of zlib, by the value of `grpc-encoding`."""
_PRINTABLE = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What `grpc-message` holds as it is, beside letters and digits."""
_LARGE = 16 * 1024
"""Bytes of a message that are not copied to follow its prefix."""


@lru_cache(1024)
def peer_name(host: str, port: int) -> str:
    """Return the address of a client as gRPC names it."""
    return f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"


class MessageReader:
    """Takes messages out of the body of a request."""

    __slots__ = ("_limit", "_parts", "expected", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self.size = 0
        """Bytes that have been received, and not been taken."""
        self.expected = _PREFIX.size
        """Bytes, from the beginning of the next message, without which there is nothing to take."""

    def feed(self, data: bytes) -> bool:
        """Add a part of the body; return whether there may be something to take."""
        self._parts.append(data)
        self.size += len(data)
        return self.size >= self.expected

    def take(self) -> tuple[bool, bytes] | None:
        """Return the next message, and whether it is compressed; None where it is not complete.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED; it is too large.
        """
        if self.size < self.expected:
            return None
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        compressed, length = _PREFIX.unpack_from(data)
        if length > self._limit:
            raise _too_large(self._limit)
        end = _PREFIX.size + length
        if self.size < end:
            self._parts = [data]
            self.expected = end
            return None
        self._parts = [data[end:]] if self.size > end else []
        self.size -= end
        self.expected = _PREFIX.size
        return compressed, data[_PREFIX.size : end]


def decompressed(message: bytes, encoding: str, limit: int) -> bytes:
    """Return a message that its sender has compressed.

    Raises:
        TrackerError: UNIMPLEMENTED, RESOURCE_EXHAUSTED or INVALID_ARGUMENT; it can't be read.
    """
    bits = _DECOMPRESSORS.get(encoding)
    if bits is None:
        raise TrackerError(
            Reason.UNKNOWN_ENCODING, f"expected grpc-encoding gzip or deflate, got {encoding!r}"
        )
    decompressor = zlib.decompressobj(bits)
    try:
        data = decompressor.decompress(message, limit + 1)
    except zlib.error:
        data = b""
    if len(data) > limit:
        raise _too_large(limit)
    if not decompressor.eof or decompressor.unused_data:
        raise invalid(FieldViolation("", f"the message is not compressed by {encoding}"))
    return data


def framed(message: bytes) -> Sequence[bytes]:
    """Return a message in the body of an answer, in parts."""
    prefix = _PREFIX.pack(False, len(message))  # noqa: FBT003 - answers are not compressed
    return (prefix + message,) if len(message) < _LARGE else (prefix, message)


def success_trailers(call: Call) -> Sequence[Header]:
    """Return the trailers of a success."""
    if call.notes:
        return (_OK, *_metadata(call))
    return (_OK, unrepeated(_REQUEST_ID, call.request_id.encode()))


def error_trailers(call: Call, error: TrackerError) -> Sequence[Header]:
    """Return the trailers of an error."""
    details = binascii.b2a_base64(binary_error(error), newline=False).rstrip(b"=")
    return (
        (b"grpc-status", b"%d" % error.code),
        unrepeated(b"grpc-message", quote(short(error.message), safe=_PRINTABLE).encode()),
        *_metadata(call),
        unrepeated(b"grpc-status-details-bin", details),
    )


def _metadata(call: Call) -> Sequence[Header]:
    pairs = ((REQUEST_ID_HEADER, call.request_id), *call.notes)
    return [unrepeated(name.encode(), value.encode()) for name, value in pairs]


def _too_large(limit: int) -> TrackerError:
    return TrackerError(Reason.REQUEST_TOO_LARGE, f"the message is larger than {limit} bytes")
