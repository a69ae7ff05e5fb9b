"""What both wires share: sockets to listen on, ids of requests, and errors as they send them.

An error is JSON over HTTP, and `google.rpc.Status` over gRPC.
"""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import re
import socket
import termios
from bisect import bisect_right
from contextlib import ExitStack, suppress
from http import HTTPStatus
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

import orjson
import uuid_utils
from protobuf.wkt import Any, Duration

from tracker.errors import DOMAIN, Code, FieldViolation, Reason, TrackerError, invalid
from tracker.pb import error_details_pb, status_pb

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

    from tracker.transcoding.json_text import JsonValue

C = TypeVar("C")


LOOPBACK = "localhost"
"""The host of a server that listens on the loopback interface alone."""

_BACKLOG = 2048
"""Connections that may wait to be accepted."""
_ACCEPTED_AT_ONCE = 8
_HANDSHAKE_SECONDS = 10.0
_FAREWELL_SECONDS = 1.0
"""Seconds for the client's own end of a connection over TLS, once it has everything."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Return sockets that are bound to an address, ready to listen on.

    Port 0 stands for any that is free. Host `::` is every interface, IPv6 and IPv4, or IPv4 alone where there
    is no IPv6; `localhost` is the loopback interface, with both as well.

    Raises:
        OSError: The address is not available; the message names it.
    """
    try:
        if host != LOOPBACK:
            return [_bind(host, port)]
        first = _bind("127.0.0.1", port)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {address(host, port)}: {error.strerror}") from None
    try:
        return [first, _bind("::1", first.getsockname()[1])]
    except OSError as error:
        if error.errno != errno.EADDRINUSE:  # this machine has no IPv6
            return [first]
        first.close()
        if port == 0:
            return listen(host, port)
        raise OSError(error.errno, f"cannot listen on {address('::1', port)}: {error.strerror}") from None


async def accept(
    listeners: Iterable[socket.socket],
    connect: Callable[[], asyncio.Protocol],
    tls: ssl.SSLContext | None = None,
) -> list[asyncio.Server]:
    """Accept connections; several in a turn of the event loop, which accepts one for each socket."""
    loop = asyncio.get_running_loop()
    timeout = None if tls is None else _HANDSHAKE_SECONDS
    sockets = [each for listener in listeners for each in (listener, *_duplicates(listener))]
    return [
        await loop.create_server(connect, sock=each, backlog=_BACKLOG, ssl=tls, ssl_handshake_timeout=timeout)
        for each in sockets
    ]


def _duplicates(listener: socket.socket) -> list[socket.socket]:
    return [listener.dup() for _ in range(_ACCEPTED_AT_ONCE - 1)]


class OpenConnections(set[C]):
    """The connections of a server."""

    def __init__(self) -> None:
        super().__init__()
        self._ended = asyncio.Event()

    def end(self, connection: C) -> None:
        """Note that a connection has ended."""
        self.discard(connection)
        self._ended.set()

    async def wait_for_the_end(self, deadline: float) -> None:
        """Wait until every connection has ended, up to a time of the loop's clock."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while self:
                    self._ended.clear()
                    await self._ended.wait()


def require_free(host: str, *ports: int) -> None:
    """Check that a server can listen on each of its ports.

    Raises:
        OSError: It can't on one of them; the message names it.
    """
    with ExitStack() as opened:
        for port in ports:
            for listener in listen(host, port):
                opened.enter_context(listener).listen()


def address(host: str, port: int) -> str:
    """Return an address as in a URL: `127.0.0.1:8080`, `[::]:8080`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def peer_of(transport: asyncio.BaseTransport) -> tuple[str, int]:
    """Return the address of a client; that of IPv4 as such, also where the server's socket is for IPv6."""
    host, port = (transport.get_extra_info("peername") or ("", 0))[:2]  # a client may be gone already
    return host.removeprefix("::ffff:"), port


def _bind(host: str, port: int) -> socket.socket:
    if host == "::" and not socket.has_dualstack_ipv6():
        host = "0.0.0.0"  # noqa: S104 - what `::` stands for where there is no IPv6
    family, kind, _, _, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # Named as TCP, since asyncio turns Nagle's algorithm off for such sockets only.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        listener.bind(where)
    except OSError:
        listener.close()
        raise
    return listener


def unacknowledged(transport: asyncio.WriteTransport) -> int:
    """Return how many bytes sent to a client its kernel has not acknowledged; elsewhere than on Linux, 0."""
    number = array.array("i", [0])
    with suppress(OSError, ValueError):  # or the connection has been closed
        fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, number)
    return number[0] + transport.get_write_buffer_size()


def close(transport: asyncio.Transport) -> None:
    """Close a connection; over TLS, don't wait long for its client to do so.

    One that keeps connections for later looks at them when it has a request.
    """
    transport.close()
    if transport.get_extra_info("ssl_object") is not None:
        asyncio.get_running_loop().call_later(_FAREWELL_SECONDS, _end, transport)


def _end(transport: asyncio.Transport) -> None:
    if transport.get_extra_info("socket") is not None and not unacknowledged(transport):
        transport.abort()


FOR_BROWSERS = "x-content-type-options: nosniff\r\ncross-origin-resource-policy: same-origin\r\n"
"""Headers of every answer over HTTP.

Browsers take it for nothing else than its media type, and don't let pages of other sites embed it.
"""

REQUEST_ID_HEADER = "x-request-id"
"""Header over REST, metadata key over gRPC, in requests and in answers."""

_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id_of(given: str | None) -> str:
    """Return the id `given` with a request, or a new one."""
    return given if given is not None and _SANE.fullmatch(given) else uuid_utils.uuid7().hex


_TIMEOUT = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
"""Seconds in each unit of gRPC's timeout header, over HTTP `Grpc-Timeout`."""


def timeout_of(text: str | None) -> float | None:
    """Return the seconds of a header `grpc-timeout`, or None without one.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is not in the format of gRPC.
    """
    if text is None:
        return None
    found = _TIMEOUT.fullmatch(text)
    if found is None:
        expected = "expected up to 8 digits and one of H M S m u n, such as 500m"
        raise invalid(FieldViolation("", f'Grpc-Timeout: {expected}, got "{text}"'))
    return int(found[1]) * _UNITS[found[2]]


_PREFIX = "type.googleapis.com/google.rpc"

_MAX_DETAILS = 3072
"""Bytes of an error's details over gRPC, which metadata carries as base64: a third more."""
_MAX_MESSAGE = 500
"""Characters of an error's message over gRPC."""
_MAX_SPELLED_MESSAGE = 2900
"""Bytes of an error's message as metadata spells it: up to 12 for one character."""
_MIN_VALUE = 8
"""Characters that are kept of each value of the metadata where they have to be cut."""
_CUT = "…"
_PREFIX_BYTES = 4
"""Bytes that go before a detail, or a violation in a list of them, at most."""


def internal_error(request_id: str) -> TrackerError:
    """Return the error of a call that failed because of a defect."""
    return TrackerError(Reason.INTERNAL, f"internal error; the log has it as request {request_id}")


def http_headers(error: TrackerError) -> list[tuple[str, str]]:
    """Return the headers that go with an error."""
    headers: list[tuple[str, str]] = []
    if error.reason.retryable:
        headers.append(("retry-after", str(error.retry_seconds)))
    if error.code is Code.UNAUTHENTICATED:  # RFC 9110, 15.5.2
        headers.append(("www-authenticate", 'Bearer realm="tracker"'))
    if error.reason is Reason.METHOD_NOT_ALLOWED and "allow" in error.metadata:  # RFC 9110, 15.5.6
        headers.append(("allow", error.metadata["allow"]))
    return headers


def json_error(error: TrackerError, *, also_as_text: bool = False) -> bytes:
    """Return the JSON body of an error: `{"code", "message", "details"}`, as `google.rpc.Status` has it.

    With `also_as_text`, its first sentence is in `error` too, where clients of the Go implementation read it.
    """
    details: list[JsonValue] = [
        {
            "@type": f"{_PREFIX}.ErrorInfo",
            "reason": error.reason,
            "domain": DOMAIN,
            "metadata": dict(error.metadata),
        }
    ]
    if error.violations:
        violations: list[JsonValue] = [
            {"field": violation.field, "description": violation.description} for violation in error.violations
        ]
        details.append({"@type": f"{_PREFIX}.BadRequest", "fieldViolations": violations})
    body: dict[str, JsonValue] = {"code": int(error.code), "message": error.message, "details": details}
    if also_as_text:
        body["error"] = error.violations[0].sentence if error.violations else error.message
    return orjson.dumps(body)


def http_answer(error: TrackerError, request_id: str) -> bytes:
    """Return a whole HTTP answer, for a request that has not reached the application."""
    body = json_error(error)
    status = HTTPStatus(error.reason.http_status)
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        f"{REQUEST_ID_HEADER}: {request_id}\r\n"
        f"{FOR_BROWSERS}"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


def binary_error(error: TrackerError) -> bytes:
    """Return an error as a serialized `google.rpc.Status`, for `grpc-status-details-bin`.

    gRPC clients accept up to 8 KiB of metadata: values of an error's metadata are cut to fit, and violations
    that do not fit are left out.
    """
    status = status_pb.Status(code=int(error.code), message=short(error.message))
    if error.reason.retryable:
        delay = error_details_pb.RetryInfo(retry_delay=Duration(seconds=error.retry_seconds))
        status.details.append(Any.pack(delay))
    status.details.insert(0, _error_info(error, _MAX_DETAILS - len(status.to_binary())))
    violations = [
        error_details_pb.BadRequest.FieldViolation(field=violation.field, description=violation.description)
        for violation in error.violations
    ]
    room = _MAX_DETAILS - len(status.to_binary())
    sizes = accumulate(len(violation.to_binary()) + _PREFIX_BYTES for violation in violations)
    fitting = [violation for violation, size in zip(violations, sizes, strict=True) if size <= room]
    if fitting:
        status.details.append(Any.pack(error_details_pb.BadRequest(field_violations=fitting)))
    return status.to_binary()


def _error_info(error: TrackerError, room: int) -> Any:
    """Return the reason and the metadata of an error, the values cut to fit into `room` bytes."""
    longest = max(map(len, error.metadata.values()), default=0)
    while True:
        metadata = {name: _cut(value, longest) for name, value in error.metadata.items()}
        info = error_details_pb.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
        packed = Any.pack(info)
        if len(packed.to_binary()) + _PREFIX_BYTES <= room or longest <= _MIN_VALUE:
            return packed
        longest = longest * 3 // 4


def short(message: str) -> str:
    """Return a message, cut to fit into the metadata of gRPC together with the details."""
    message = _cut(message, _MAX_MESSAGE)
    spelled = list(accumulate(map(_spelled_bytes, message)))
    if not spelled or spelled[-1] <= _MAX_SPELLED_MESSAGE:
        return message
    return f"{message[: bisect_right(spelled, _MAX_SPELLED_MESSAGE - _spelled_bytes(_CUT))]}{_CUT}"


def _spelled_bytes(character: str) -> int:
    """Return the bytes of a character in `grpc-message`, percent-encoded unless it is printable ASCII."""
    return 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}{_CUT}"
