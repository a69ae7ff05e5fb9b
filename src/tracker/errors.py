"""The one family of errors, and the one table from an error code to a wire's status."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DOMAIN = "tracker"
"""`google.rpc.ErrorInfo.domain` of every error."""


class Code(IntEnum):
    """The codes that Tracker answers; the numbers are those of `google.rpc.Code`."""

    CANCELLED = 1
    """The caller went away before the answer was ready."""
    INVALID_ARGUMENT = 3
    """The request is wrong whatever the state of the system; repeating it is no use."""
    DEADLINE_EXCEEDED = 4
    """The caller's deadline, or the server's own, passed before the answer was ready."""
    NOT_FOUND = 5
    """What the request names does not exist."""
    ALREADY_EXISTS = 6
    """What the request would make, take or claim belongs to another."""
    PERMISSION_DENIED = 7
    """What the request names belongs to another, and the caller has not shown the right to it."""
    RESOURCE_EXHAUSTED = 8
    """A limit on size or number is reached."""
    FAILED_PRECONDITION = 9
    """The stored state does not allow the request; change the state first."""
    ABORTED = 10
    """Lost a race against another change; read again and repeat."""
    OUT_OF_RANGE = 11
    """What the request goes on from is no longer kept, or never was; begin anew."""
    UNIMPLEMENTED = 12
    """There is no such method, or not with this verb."""
    INTERNAL = 13
    """A defect of the server; the log has it under the request id."""
    UNAVAILABLE = 14
    """The server can't serve this now; repeat later."""
    DATA_LOSS = 15
    """The store holds a record that can't be read."""


HTTP_STATUS: Mapping[Code, int] = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
}
"""HTTP status of each code, as `google/rpc/code.proto` maps them."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that breaks a rule.

    `field` is the path in proto names (`attributes.start_date`, `types[2]`), or empty for the request as a
    whole; a wire may respell it the way its client wrote it. `description` says what was expected.
    """

    field: str
    description: str

    @property
    def sentence(self) -> str:
        """What was expected of which field; a description may begin with the field's name itself."""
        if not self.field or self.description.startswith(f"{self.field} "):
            return self.description
        return f"{self.field}: {self.description}"


class TrackerError(Exception):
    """An answer other than success, on whichever wire.

    `reason` is a stable UPPER_SNAKE_CASE word for programs; `metadata` holds what a program may
    want to know beside it (ids, holders); `message` is one sentence for a person.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        reason: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata: Mapping[str, str] = metadata or {}
        self.violations = tuple(violations)


def invalid(*violations: FieldViolation) -> TrackerError:
    """Return the INVALID_ARGUMENT error for fields that break a rule."""
    message = "; ".join(violation.sentence for violation in violations)
    return TrackerError(Code.INVALID_ARGUMENT, message, "INVALID_FIELD", violations=violations)
