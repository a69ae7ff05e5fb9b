"""Single calls, well-formed and not, and what answers them: of ours, and of `grpc.aio` where that differs."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, NamedTuple

from tests.wires.raw_http2 import framed, request_headers

from tracker.api.calls.endpoint import MAX_BODY
from tracker.pb import event_pb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.wires.raw_http2 import Headers

GET = "/tracker.event.v1alpha1.EventService/GetEvent"
MESSAGE = event_pb.GetEventRequest(id="1").to_binary()
_WHOLE = framed(MESSAGE)
_LARGEST = event_pb.GetEventRequest(id="x" * (MAX_BODY - 5)).to_binary()
"""The largest message that is read; its field is too long."""


NOTHING = "no answer"


class Case(NamedTuple):
    """A call; `aio` is what `grpc.aio` answers, if that differs, which `why` accounts for.

    An answer is a name of a gRPC code, an HTTP status, or a reset with the name of an HTTP/2 error. A `body`
    of None is one without DATA.
    """

    name: str
    headers: Headers
    body: bytes | None
    answer: str
    aio: str = ""
    why: str = ""


_MALFORMED = "a malformed request is a stream error of HTTP/2 (RFC 9113, 8.1.1)"
_LIBERAL = "gRPC core is liberal here"
_NAMED = "gRPC core answers INTERNAL to whatever it can't parse; the fault is the caller's"
_CORE = "RESET INTERNAL_ERROR"
_FAULT = "the fault is the caller's"
_SILENT = "gRPC core waits for a message for ever"


def _case(name: str, answer: str = "OK", aio: str = "", why: str = "", **changes: str | None) -> Case:
    return Case(name, request_headers(GET, **changes), _WHOLE, answer, aio, why)


def _body(name: str, body: bytes | None, answer: str, aio: str = "", why: str = "") -> Case:
    return Case(name, request_headers(GET), body, answer, aio, why)


def _metadata(name: str, answer: str, *more: tuple[str, str], aio: str = "", why: str = "") -> Case:
    return Case(name, [*request_headers(GET), *more], _WHOLE, answer, aio, why)


def _content_types() -> Iterator[Case]:
    for taken in ("application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"):
        yield _case(f"content-type {taken}", content_type=taken)
    why = f"gRPC over HTTP/2 asks for 415; {_LIBERAL}"
    for refused in ("application/json", "application/grpc-web", "application/grpcx", "text/html", "", None):
        yield _case(f"content-type {refused}", "HTTP 415", "OK", why, content_type=refused)


def _pseudo_headers() -> Iterator[Case]:
    for method in ("GET", "PUT"):
        yield _case(f"method {method}", "HTTP 405", _CORE, "405 says why", method=method)
    yield _case("method post", "HTTP 405", "INTERNAL", "405 says why", method="post")
    for path in ("/", "//", "/nothing", f"{GET}/", f"{GET}?a=b", GET.lower(), GET.replace("Get", "Nothing")):
        yield _case(f"path {path}", "UNIMPLEMENTED", path=path)
    for path in ("", "nothing", "*"):
        yield _case(f"path {path!r}", "RESET PROTOCOL_ERROR", "UNIMPLEMENTED", _MALFORMED, path=path)
    yield _case("no path", "RESET PROTOCOL_ERROR", _CORE, _FAULT, path=None)
    yield _case("no scheme", "RESET PROTOCOL_ERROR", _CORE, _FAULT, scheme=None)
    yield _case("scheme https, by a proxy that ends TLS", scheme="https")
    yield _case("no authority", "RESET PROTOCOL_ERROR", _CORE, _FAULT, authority=None)
    yield _case("a host instead of an authority", authority=None, host="localhost")
    yield _case("no te", "OK", _CORE, "some proxies remove it, and nothing needs it", te=None)
    yield _case("te of something else", "RESET PROTOCOL_ERROR", "INTERNAL", _MALFORMED, te="gzip")


def _timeouts() -> Iterator[Case]:
    for timeout in ("1H", "1M", "9S", "9000m", "9000000u", "99999999H", "00000009S"):
        yield _case(f"grpc-timeout {timeout}", grpc_timeout=timeout)
    yield _case("a deadline that has passed", "DEADLINE_EXCEEDED", grpc_timeout="0S")
    for timeout in ("", "S", "1", "-1S", "1.5S", "1x", "1s"):
        yield _case(f"grpc-timeout {timeout!r}", "INVALID_ARGUMENT", "INTERNAL", _NAMED, grpc_timeout=timeout)
    for timeout in ("9 S", "123456789S"):
        yield _case(
            f"grpc-timeout {timeout!r}",
            "INVALID_ARGUMENT",
            "OK",
            "the grammar has neither",
            grpc_timeout=timeout,
        )


def _compression() -> Iterator[Case]:
    def sent(name: str, answer: str, body: bytes, encoding: str | None) -> Case:
        return Case(name, request_headers(GET, grpc_encoding=encoding), body, answer)

    yield sent("identity", "OK", _WHOLE, "identity")
    yield sent("gzip", "OK", framed(gzip.compress(MESSAGE), 1), "gzip")
    yield sent("deflate", "OK", framed(zlib.compress(MESSAGE), 1), "deflate")
    yield sent("gzip, and a message that is not compressed", "OK", _WHOLE, "gzip")
    large = framed(gzip.compress(_LARGEST + b"x"), 1)
    yield sent("a message that is too large once decompressed", "RESOURCE_EXHAUSTED", large, "gzip")
    for encoding in ("snappy", "identity", None):
        unknown = sent(f"compressed by {encoding}", "UNIMPLEMENTED", framed(MESSAGE, 1), encoding)
        yield unknown._replace(aio="INTERNAL", why="the answer says which encodings are known")
    flag = sent("a flag that is unknown", "UNIMPLEMENTED", framed(MESSAGE, 2), None)
    yield flag._replace(aio="INVALID_ARGUMENT", why="gRPC core takes it for an empty message")
    malformed = {
        "no gzip": (b"nothing", "gzip"),
        "half a gzip": (gzip.compress(MESSAGE)[:-9], "gzip"),
        "bytes after gzip": (gzip.compress(MESSAGE) + b"more", "gzip"),
        "deflate without its header": (zlib.compress(MESSAGE)[2:-4], "deflate"),
    }
    for name, (message, encoding) in malformed.items():
        yield sent(name, "INVALID_ARGUMENT", framed(message, 1), encoding)._replace(
            aio="INTERNAL", why=_NAMED
        )


def _bodies() -> Iterator[Case]:
    yield _body("an empty message", framed(b""), "INVALID_ARGUMENT")
    yield _body("the largest message", framed(_LARGEST), "INVALID_ARGUMENT")
    yield _body("a message that is one byte larger", framed(_LARGEST + b"x"), "RESOURCE_EXHAUSTED")
    yield _body("a length of 4 GiB", b"\0\xff\xff\xff\xff", "RESOURCE_EXHAUSTED")
    yield _body("a second message, which is ignored", _WHOLE + _WHOLE, "OK")
    yield _body("half of a second message", _WHOLE + _WHOLE[:3], "OK")
    yield _body("no body", None, "INVALID_ARGUMENT", NOTHING, _SILENT)
    yield _body("an empty body", b"", "INVALID_ARGUMENT", NOTHING, _SILENT)
    yield _body("half a message", _WHOLE[:-1], "INVALID_ARGUMENT", NOTHING, _SILENT)
    yield _body("half of what is before a message", _WHOLE[:3], "INVALID_ARGUMENT", NOTHING, _SILENT)


def _headers() -> Iterator[Case]:
    yield _metadata("binary metadata", "OK", ("x-bin", "AQI="))
    yield _metadata("binary metadata without padding", "OK", ("x-bin", "AQI"))
    yield _metadata("binary metadata twice", "OK", ("x-bin", "AQI"), ("x-bin", "AwQ"))
    why = "nothing reads binary metadata; lists in one header are gRPC's own rule"
    yield _metadata("a list of binary metadata", "OK", ("x-bin", "AQI,AwQ="), aio="INTERNAL", why=why)
    yield _metadata("binary metadata that is no base64", "OK", ("x-bin", "!!!"), aio="INTERNAL", why=why)
    yield _metadata("an empty value", "OK", ("x-text", ""))
    yield _metadata("a reserved name", "OK", ("grpc-something", "1"))
    for name in ("X-Upper", "x y", ":unknown"):
        yield _metadata(
            f"a header named {name}", "RESET PROTOCOL_ERROR", (name, "1"), aio="INTERNAL", why=_MALFORMED
        )
    why = f"{_MALFORMED}; {_LIBERAL}"
    yield _metadata("a header of HTTP/1", "RESET PROTOCOL_ERROR", ("connection", "close"), aio="OK", why=why)
    yield _metadata("a second path", "RESET PROTOCOL_ERROR", (":path", GET), aio="OK", why=why)
    yield _metadata("a wrong length", "RESET PROTOCOL_ERROR", ("content-length", "3"), aio="OK", why=why)
    yield _metadata("a newline in a value", "RESET PROTOCOL_ERROR", ("x-text", "a\nb"), aio="OK", why=why)
    yield _metadata("metadata of 15 KB", "OK", ("x-text", "y" * 15_000))
    for size in (17_000, 70_000):
        yield _metadata(f"metadata of {size} bytes", "RESOURCE_EXHAUSTED", ("x-text", "y" * size))


CASES = [
    *_content_types(),
    *_pseudo_headers(),
    *_timeouts(),
    *_compression(),
    *_bodies(),
    *_headers(),
]
