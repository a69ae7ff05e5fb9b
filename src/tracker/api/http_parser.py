"""Parsing of HTTP/1.1 requests, with limits and checks that the parser lacks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

import httptools

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOST = re.compile(r"[\w.~!$&'()*+,;=%:\[\]-]*", re.ASCII)
_UPGRADE = ("connection", "upgrade", "http2-settings")


class Head(NamedTuple):
    """The head of a request: `path` and `query` are escaped, as the client sent them.

    The names of `headers` are in lower case; repeated ones are joined by commas. `modern` is HTTP/1.1.
    """

    verb: str
    path: str
    query: bytes
    headers: dict[str, str]
    modern: bool


class Receiver(Protocol):
    """What is done with the requests of a connection."""

    def request_begun(self) -> None:
        """The first byte of a request has arrived."""

    def head_received(self, head: Head) -> None:
        """The head of a request is complete."""

    def body_received(self, data: bytes) -> None:
        """A part of the body has arrived."""

    def request_ended(self, *, lasting: bool) -> None:
        """The request is complete; the connection is `lasting` if another one may follow."""


class _Refused(Exception):  # noqa: N818 - stops the parser, and never leaves this module
    """The request under way goes no further."""


class HttpParser:
    """Parses the requests of one connection.

    A head may have `head_bytes`, and a whole request `message_bytes` on the wire, with chunk sizes and
    trailers: this bounds what the parser buffers.
    """

    def __init__(self, receiver: Receiver, head_bytes: int, message_bytes: int) -> None:
        self.on_body = receiver.body_received  # the parser looks for callbacks by name
        self._receiver = receiver
        self._head_bytes = head_bytes
        self._message_bytes = message_bytes
        self._received = 0
        self._in_head = False
        self._declining = False
        self._refusal: TrackerError | None = None
        self._url = b""
        self._headers: dict[str, str] = {}
        self._version = ""
        self._begin()

    def feed(self, data: bytes) -> None:
        """Parse what arrived.

        Raises:
            TrackerError: INVALID_ARGUMENT or RESOURCE_EXHAUSTED; nothing more may be fed.
        """
        self._received += len(data)
        self._parse(data)
        if self._received > self._head_bytes and self._in_head:
            raise self._head_too_large()
        if self._received > self._message_bytes:
            raise TrackerError(Reason.REQUEST_TOO_LARGE, "the request is too large")

    def close(self) -> None:
        """Take nothing more: what refers to each other is freed at once."""
        del self._parser, self._receiver, self.on_body

    def _begin(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)  # which nothing answers

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            again = _without_upgrade(self._parser.get_method(), self._url, self._headers)
            self._declining = False
            self._begin()
            self._parse(again + data[upgrade.args[0] :])
        except httptools.HttpParserError:
            raise self._refusal or TrackerError(Reason.INVALID_HTTP, "this is not HTTP/1.1") from None

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._url = b""
        self._headers = {}
        self._in_head = True
        self._receiver.request_begun()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are ignored."""
        if not self._in_head:
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        """Pass the head on, unless it is refused or its offer to speak another protocol is declined."""
        if self._received > self._head_bytes and self._head_size() > self._head_bytes:
            self._refusal = self._head_too_large()
            raise _Refused
        self._version = version = self._parser.get_http_version()
        if wrong := _mistake(version, self._headers):
            self._refusal = TrackerError(Reason.INVALID_HTTP, wrong)
            raise _Refused
        verb = self._parser.get_method()
        if self._parser.should_upgrade() and verb != b"CONNECT":
            self._declining = True
            return
        target = httptools.parse_url(self._url)
        if target.path is None:
            raise _Refused
        self._in_head = False
        path, query = target.path.decode("ascii"), target.query or b""
        self._receiver.head_received(Head(verb.decode(), path, query, self._headers, version == "1.1"))

    def on_message_complete(self) -> None:
        """End a request."""
        if not self._declining:
            self._received = 0
            self._receiver.request_ended(lasting=self._version == "1.1" and self._parser.should_keep_alive())

    def _head_size(self) -> int:
        return len(self._url) + sum(len(name) + len(value) for name, value in self._headers.items())

    def _head_too_large(self) -> TrackerError:
        text = f"the request's headers are larger than {self._head_bytes} bytes"
        return TrackerError(Reason.HEADERS_TOO_LARGE, text)


def _mistake(version: str, headers: Mapping[str, str]) -> str:
    """Return why RFC 9112 refuses a request that the parser has accepted; "" for one that is right."""
    host = headers.get("host")
    if version not in ("1.1", "1.0"):
        return "the version of HTTP is neither 1.1 nor 1.0"
    if host is None:
        if version == "1.1":
            return "expected a header Host"
    elif not _HOST.fullmatch(host):  # of two, joined by a comma and a space, too
        return "the header Host is not one name or address, with or without a port"
    if version == "1.0" and ("te" in headers or "transfer-encoding" in headers):
        return "HTTP/1.0 has no transfer codings"
    if headers.get("transfer-encoding", "chunked").lower() != "chunked":  # the parser allows others before it
        return "the only transfer coding is chunked"
    return ""


def _without_upgrade(verb: bytes, url: bytes, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request as it would be without the offer to speak another protocol.

    The parser drops the body of a request with such an offer, as if it were accepted. Some client
    libraries offer HTTP/2 with every request, and expect an answer over HTTP/1.1 all the same.
    """
    lines = [f"{name}: {value}" for name, value in headers.items() if name not in _UPGRADE]
    if "close" in headers.get("connection", "").lower():
        lines.append("connection: close")
    return b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (verb, url, "\r\n".join(lines).encode("latin-1"))
