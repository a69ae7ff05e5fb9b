"""Errors as the wires send them: JSON over HTTP, `google.rpc.Status` over gRPC."""

from __future__ import annotations

from bisect import bisect_right
from http import HTTPStatus
from itertools import accumulate
from typing import TYPE_CHECKING

import orjson
from protobuf.wkt import Any, Duration

from tracker.api.wires import REQUEST_ID_HEADER
from tracker.errors import DOMAIN, Reason, TrackerError
from tracker.pb import error_details_pb, status_pb

if TYPE_CHECKING:
    from tracker.transcoding.json_text import JsonValue

_PREFIX = "type.googleapis.com/google.rpc"

_RETRY_SECONDS = 1
"""Seconds after which a refused call is worth a retry: the causes clear up soon or not at all."""

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


def http_headers(error: TrackerError) -> list[tuple[bytes, bytes]]:
    """Return the headers that go with an error."""
    headers: list[tuple[bytes, bytes]] = []
    if error.reason.retryable:
        headers.append((b"retry-after", b"%d" % _RETRY_SECONDS))
    if error.reason.http_status == 405:  # noqa: PLR2004 - RFC 9110, 15.5.6
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
    """Return a whole HTTP answer, for a request that has not reached the application."""
    body = json_error(error)
    status = HTTPStatus(error.reason.http_status)
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(body)}\r\n"
        f"{REQUEST_ID_HEADER}: {request_id}\r\n"
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
        delay = error_details_pb.RetryInfo(retry_delay=Duration(seconds=_RETRY_SECONDS))
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
