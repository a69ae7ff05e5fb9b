"""The errors of every layer, and the one table of their reasons."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum, auto
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DOMAIN = "tracker"
"""`google.rpc.ErrorInfo.domain` of every error."""


class Code(IntEnum):
    """The codes that Tracker answers: number and HTTP status, as `google/rpc/code.proto` has them."""

    http_status: int

    def __new__(cls, number: int, http_status: int = 0) -> Self:  # noqa: D102 - makes members
        member = int.__new__(cls, number)
        member._value_ = number
        member.http_status = http_status
        return member

    CANCELLED = 1, 499
    """The caller went away before the answer was ready."""
    INVALID_ARGUMENT = 3, 400
    """The request is wrong whatever the state of the system; repeating it is no use."""
    DEADLINE_EXCEEDED = 4, 504
    """The caller's deadline, or the server's own, passed before the answer was ready."""
    NOT_FOUND = 5, 404
    """What the request names does not exist."""
    ALREADY_EXISTS = 6, 409
    """What the request would make, take or claim belongs to another."""
    PERMISSION_DENIED = 7, 403
    """What the request names belongs to another, and the caller has not shown the right to it."""
    RESOURCE_EXHAUSTED = 8, 429
    """A limit on size or number is reached."""
    FAILED_PRECONDITION = 9, 400
    """The stored state does not allow the request; change the state first."""
    ABORTED = 10, 409
    """Lost a race against another change; read again and repeat."""
    OUT_OF_RANGE = 11, 400
    """What the request goes on from is no longer kept, or never was; start again."""
    UNIMPLEMENTED = 12, 501
    """There is no such method, or not with this verb."""
    INTERNAL = 13, 500
    """A defect of the server; the log has it under the request id."""
    UNAVAILABLE = 14, 503
    """The server can't serve this now; repeat later."""
    DATA_LOSS = 15, 500
    """The store holds a record that can't be read."""
    UNAUTHENTICATED = 16, 401
    """The caller has no valid credentials for what it asks."""


_RETRY: Final = True
"""The same call may succeed a moment later, though its HTTP status does not say so."""


class Reason(StrEnum):
    """Why a call was refused: stable words for programs, in `google.rpc.ErrorInfo.reason`.

    Each has its code, what it means as docs/api.md has it, and where they differ from what follows from the
    code: the HTTP status, and whether a retry can help.
    """

    code: Code
    meaning: str
    http_status: int
    retryable: bool

    def __new__(  # noqa: D102 - makes members, and is called by nobody else
        cls,
        word: str,
        code: Code,
        meaning: str,
        http_status: int | None = None,
        retryable: bool | None = None,  # noqa: FBT001 - a column of the table
    ) -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.code = code
        member.meaning = meaning
        member.http_status = http_status or code.http_status
        member.retryable = member.http_status in (429, 503) if retryable is None else retryable
        return member

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    INVALID_FIELD = auto(), Code.INVALID_ARGUMENT, "fields break a rule; `BadRequest` names them"
    NO_FILTER = auto(), Code.INVALID_ARGUMENT, "a search without a filter"
    INVALID_QUERY = auto(), Code.INVALID_ARGUMENT, "the `query` can't be parsed"
    INVALID_HTTP = auto(), Code.INVALID_ARGUMENT, "the request is not HTTP"
    WEBHOOK_ADDRESS_REFUSED = (
        auto(),
        Code.INVALID_ARGUMENT,
        "the address leads to a network that webhooks may not reach",
    )
    CHANGES_FORGOTTEN = (
        auto(),
        Code.OUT_OF_RANGE,
        "changes after the `resumeToken` are no longer kept, or it is another store's",
    )
    EVENT_NOT_FOUND = auto(), Code.NOT_FOUND, "no such event"
    RELATED_EVENT_NOT_FOUND = auto(), Code.NOT_FOUND, "`attributes.relatedId` names no event"
    LOCK_NOT_FOUND = auto(), Code.NOT_FOUND, "no such lock, or it has ended"
    CATALOG_NOT_FOUND = auto(), Code.NOT_FOUND, "no such entry"
    LINK_NOT_FOUND = auto(), Code.NOT_FOUND, "no such link"
    API_KEY_NOT_FOUND = auto(), Code.NOT_FOUND, "no such API key, or it is no longer valid"
    USER_NOT_FOUND = auto(), Code.NOT_FOUND, "no such user"
    TEAM_NOT_FOUND = auto(), Code.NOT_FOUND, "no such team"
    STATE_NOT_FOUND = auto(), Code.NOT_FOUND, "no such state of Terraform, or no such version of it"
    WEBHOOK_NOT_FOUND = auto(), Code.NOT_FOUND, "no such webhook"
    FREEZE_WINDOW_NOT_FOUND = auto(), Code.NOT_FOUND, "no such freeze window"
    RETENTION_POLICY_NOT_FOUND = auto(), Code.NOT_FOUND, "no such retention policy"
    INTAKE_MESSAGE_NOT_FOUND = auto(), Code.NOT_FOUND, "no such message of an intake"
    UNKNOWN_PATH = auto(), Code.NOT_FOUND, "no such path"
    UNKNOWN_METHOD = auto(), Code.UNIMPLEMENTED, "no such RPC"
    UNKNOWN_ENCODING = auto(), Code.UNIMPLEMENTED, "the server can't decompress the message"
    METHOD_NOT_ALLOWED = auto(), Code.UNIMPLEMENTED, "the path has no such verb", 405
    LOCK_HELD = auto(), Code.ALREADY_EXISTS, "the lock is held, or others wait for it", None, _RETRY
    LOCK_WAIT_TIMEOUT = auto(), Code.ALREADY_EXISTS, "the lock was not free within `wait`", None, _RETRY
    LOCK_DELAY = auto(), Code.ALREADY_EXISTS, "`lockDelay` after an expired lease is not over", None, _RETRY
    LOCK_TOKEN_MISMATCH = auto(), Code.PERMISSION_DENIED, "the `lockToken` is missing, or not the lock's"
    LOCK_OF_ANOTHER = auto(), Code.PERMISSION_DENIED, "another principal took the lock"
    AUTHENTICATION_REQUIRED = auto(), Code.UNAUTHENTICATED, "callers without credentials may not do this"
    INVALID_CREDENTIALS = auto(), Code.UNAUTHENTICATED, "the credentials are unknown, expired or revoked"
    PERMISSION_REQUIRED = (
        auto(),
        Code.PERMISSION_DENIED,
        "the caller lacks a permission, at all or for this record",
    )
    CROSS_ORIGIN = auto(), Code.PERMISSION_DENIED, "a page of another site asked a browser for the change"
    UNKNOWN_HOST = auto(), Code.PERMISSION_DENIED, "`Host` is neither an address nor in `ALLOWED_HOSTS`", 421
    UNSUPPORTED_MEDIA_TYPE = (
        auto(),
        Code.INVALID_ARGUMENT,
        "the body is compressed, or a browser sent one that is not JSON",
        415,
    )
    LOCK_LOST = auto(), Code.ABORTED, "the lock ended: it expired, was released by force, or its event ended"
    EVENT_NUMBER_SHARED = auto(), Code.ABORTED, "several events have the number; use their ids"
    LOCK_TOKEN_USED = auto(), Code.ABORTED, "the `lockToken` took a lock that has ended"
    LOCK_WITHOUT_LEASE = (
        auto(),
        Code.FAILED_PRECONDITION,
        "neither the lock to renew nor the call has a `ttl`",
    )
    IDEMPOTENCY_KEY_UNDER_WAY = (
        auto(),
        Code.ABORTED,
        "a call with this idempotency key is under way, or was just cut off",
        None,
        _RETRY,
    )
    IDEMPOTENCY_KEY_REUSED = (
        auto(),
        Code.FAILED_PRECONDITION,
        "the idempotency key was used for another request",
        422,
    )
    FREEZE_IN_EFFECT = (
        auto(),
        Code.FAILED_PRECONDITION,
        "a freeze window is in effect for what would begin",
        409,
    )
    EVENT_HELD = auto(), Code.FAILED_PRECONDITION, "a legal hold keeps the event from being deleted"
    EXPORT_UNAVAILABLE = auto(), Code.FAILED_PRECONDITION, "the server has no `RETENTION_EXPORT_DIR`"
    NO_OWN_API_KEYS = auto(), Code.FAILED_PRECONDITION, "the caller can't have API keys of its own"
    LAST_ADMINISTRATOR = (
        auto(),
        Code.FAILED_PRECONDITION,
        "no other enabled user would be an administrator, or a user would disable itself",
    )
    TEAM_IS_BUILTIN = auto(), Code.FAILED_PRECONDITION, "the team of administrators can't be deleted"
    USER_EXISTS = auto(), Code.ALREADY_EXISTS, "another user has this name"
    TEAM_EXISTS = auto(), Code.ALREADY_EXISTS, "another team has this name"
    SLACK_ID_SET = auto(), Code.ALREADY_EXISTS, "the event already has a Slack id"
    SLACK_ID_TAKEN = auto(), Code.ALREADY_EXISTS, "another event has this Slack id"
    EXTERNAL_ID_TAKEN = auto(), Code.ALREADY_EXISTS, "another event of the source has this external id"
    TOO_MANY_CALLS = auto(), Code.RESOURCE_EXHAUSTED, "the caller makes more calls than it may"
    TOO_MANY_FAILED_ATTEMPTS = (
        auto(),
        Code.RESOURCE_EXHAUSTED,
        "too many logins failed, or calls had invalid credentials",
    )
    TOO_MANY_LOCKS = auto(), Code.RESOURCE_EXHAUSTED, "the caller holds as many locks as it may"
    TOO_MANY_API_KEYS = (
        auto(),
        Code.RESOURCE_EXHAUSTED,
        "the caller has 100 API keys of its own",
    )
    TOO_MANY_LINKS = auto(), Code.RESOURCE_EXHAUSTED, "the caller has 200 private links"
    TOO_MANY_WAITS = auto(), Code.RESOURCE_EXHAUSTED, "500 calls of the caller wait for locks"
    TOO_MANY_WATCHES = auto(), Code.RESOURCE_EXHAUSTED, "the server has 5,000 watches, or the caller 500"
    CALLER_TOO_SLOW = (
        auto(),
        Code.RESOURCE_EXHAUSTED,
        "the watch read nothing for a minute; resume with the last `resumeToken`",
    )
    UNSENT_ANSWERS = (
        auto(),
        Code.RESOURCE_EXHAUSTED,
        "the memory for answers that are not yet sent is in use; retry, or ask for less at a time",
    )
    REQUEST_TOO_LARGE = auto(), Code.RESOURCE_EXHAUSTED, "the body is over 4 MiB", 413
    HEADERS_TOO_LARGE = auto(), Code.RESOURCE_EXHAUSTED, "the headers are over 64 KiB", 431
    REQUEST_TIMEOUT = auto(), Code.DEADLINE_EXCEEDED, "headers or body came too slowly", 408
    DEADLINE_EXCEEDED = auto(), Code.DEADLINE_EXCEEDED, "the deadline passed"
    QUERY_TOO_LONG = (
        auto(),
        Code.DEADLINE_EXCEEDED,
        "a query searched events for 2 s, or took 30 s, on MongoDB 20 s",
    )
    CANCELLED = auto(), Code.CANCELLED, "the caller disconnected; only in logs and metrics"
    DRAINING = auto(), Code.UNAVAILABLE, "the server is stopping"
    SHUTTING_DOWN = (
        auto(),
        Code.UNAVAILABLE,
        "the server stopped before the lock was free; repeat with the same `lockToken`",
    )
    ISSUER_UNAVAILABLE = (
        auto(),
        Code.UNAVAILABLE,
        "the issuer of the caller's id token can't be asked for its keys",
    )
    EXPORT_FAILED = auto(), Code.UNAVAILABLE, "events that are due can't be written to `RETENTION_EXPORT_DIR`"
    STORE_UNAVAILABLE = auto(), Code.UNAVAILABLE, "the store is unavailable; the message says why"
    STORE_OVERLOADED = auto(), Code.UNAVAILABLE, "too many calls wait for the store"
    STORE_FULL = auto(), Code.UNAVAILABLE, "the disk is full"
    STORE_READ_ONLY = auto(), Code.UNAVAILABLE, "the store is read-only"
    STORE_OUTCOME_UNKNOWN = (
        auto(),
        Code.UNAVAILABLE,
        "the change was not confirmed; repeat it with the same idempotency key",
    )
    STORE_CORRUPT = auto(), Code.DATA_LOSS, "a record, or the file, can't be read"
    INTERNAL = auto(), Code.INTERNAL, "a defect"


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
        """What was expected of which field; a description may name the field itself, in its first words."""
        words = self.description.lower().replace("_", "").split()[:3]
        name = self.field.lower().replace("_", "")
        if not self.field or (name in words and not {"expected", "must"} & {*words}):
            return self.description
        return f"{self.field}: {self.description}"


class SetupError(Exception):
    """The server can't start as it is set up; the message is for its operator, and may have several lines."""


class TrackerError(Exception):
    """An answer other than success, on whichever wire.

    `metadata` holds what a program may want to know beside the reason (ids, holders); `message` is one
    sentence for a person. Where a retry can help, `retry_seconds` is when.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_seconds: int = 1,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata: Mapping[str, str] = metadata or {}
        self.violations = tuple(violations)
        self.retry_seconds = retry_seconds

    @property
    def code(self) -> Code:
        """The code of the reason."""
        return self.reason.code


def invalid(*violations: FieldViolation) -> TrackerError:
    """Return the INVALID_ARGUMENT error for fields that break a rule."""
    message = "; ".join(dict.fromkeys(violation.sentence for violation in violations))
    return TrackerError(Reason.INVALID_FIELD, message, violations=violations)


def invalid_credentials() -> TrackerError:
    """Return the error for credentials that are not valid, whatever is wrong with them."""
    return TrackerError(Reason.INVALID_CREDENTIALS, "invalid or expired credentials")


_COMPARABLE = 40
"""Characters of a wrong name that are compared with known ones."""
_BEGINNING = 3
"""Characters that are enough as the beginning of a name."""


def nearest(wrong: str, known: Iterable[str], parent: str = "") -> str:
    """Return `; did you mean …?` with the known name nearest to a wrong one, or "" where none is near."""
    from difflib import get_close_matches  # noqa: PLC0415 - slow to load, and few errors need it

    names = {name.lower(): name for name in known}
    wrong = wrong.lower()[:_COMPARABLE]
    found = get_close_matches(wrong, names, n=1)
    if not found and len(wrong) >= _BEGINNING:
        found = [name for name in names if name.startswith(wrong)]
    return f"; did you mean {parent}{names[found[0]]}?" if found else ""
