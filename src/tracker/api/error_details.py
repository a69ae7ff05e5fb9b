"""Errors in the two shapes that the wires answer with."""

from __future__ import annotations

from http import HTTPStatus
from itertools import accumulate
from typing import TYPE_CHECKING

import orjson
from protobuf.wkt import Any, Duration

from tracker.errors import DOMAIN, HTTP_STATUS, Code, TrackerError
from tracker.pb import error_details_pb, status_pb

from .request_id import HEADER

if TYPE_CHECKING:
    from .json_text import JsonValue

_PREFIX = "type.googleapis.com/google.rpc"

_RETRY_SECONDS = 1
"""Seconds after which a refused call is worth repeating; what refuses them clears up fast or not at all."""
_REPEATABLE = frozenset({"LOCK_HELD", "LOCK_WAIT_TIMEOUT", "LOCK_DELAY"})
"""Errors that time alone may put right, though their HTTP status does not say so."""

_MAX_DETAILS = 3072
"""Bytes of an error's details over gRPC, which metadata carries as base64."""
_MAX_MESSAGE = 500
"""Characters of an error's message over gRPC, each of which metadata may spell with up to 12."""
_PREFIX_BYTES = 4
"""Bytes that go before a violation in a list of them, at most."""

_STATUS_OF_REASON = {
    "METHOD_NOT_ALLOWED": 405,
    "REQUEST_TIMEOUT": 408,
    "REQUEST_TOO_LARGE": 413,
    "HEADERS_TOO_LARGE": 431,
}
"""Errors that HTTP has a status of its own for."""


def internal_error(request_id: str) -> TrackerError:
    """Return the answer to a call that a defect of the server ended."""
    message = f"internal error; the log has it as request {request_id}"
    return TrackerError(Code.INTERNAL, message, "INTERNAL")


def http_status(error: TrackerError) -> int:
    """Return the HTTP status of an error."""
    return _STATUS_OF_REASON.get(error.reason) or HTTP_STATUS[error.code]


def _retry_seconds(error: TrackerError) -> int | None:
    """Return when to repeat a call that was refused, where that is worth trying."""
    repeatable = http_status(error) in (429, 503) or error.reason in _REPEATABLE
    return _RETRY_SECONDS if repeatable else None


def http_headers(error: TrackerError) -> list[tuple[bytes, bytes]]:
    """Return the headers that go with an error."""
    headers: list[tuple[bytes, bytes]] = []
    retry = _retry_seconds(error)
    if retry is not None:
        headers.append((b"retry-after", b"%d" % retry))
    if http_status(error) == 405:  # noqa: PLR2004 - RFC 9110, 15.5.6
        headers.append((b"allow", error.metadata["allow"].encode()))
    return headers


def json_error(error: TrackerError) -> bytes:
    """Return the JSON body of an error: `{"code", "message", "details"}`, as `google.rpc.Status` has it."""
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
    return orjson.dumps({"code": int(error.code), "message": error.message, "details": details})


def http_answer(error: TrackerError, request_id: str) -> bytes:
    """Return a whole HTTP answer, for a request that no application has seen."""
    body = json_error(error)
    status = HTTPStatus(http_status(error))
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        f"{HEADER}: {request_id}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


def binary_error(error: TrackerError) -> bytes:
    """Return an error as a serialized `google.rpc.Status`, for `grpc-status-details-bin`.

    gRPC clients take no more than 8 KiB of metadata; violations that do not fit are left out.
    """
    info = error_details_pb.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata))
    status = status_pb.Status(code=int(error.code), message=short(error.message), details=[Any.pack(info)])
    retry = _retry_seconds(error)
    if retry is not None:
        delay = error_details_pb.RetryInfo(retry_delay=Duration(seconds=retry))
        status.details.append(Any.pack(delay))
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


def short(message: str) -> str:
    """Return a message cut to what fits gRPC's metadata beside the details."""
    return message if len(message) <= _MAX_MESSAGE else f"{message[: _MAX_MESSAGE - 1]}…"
