"""What a service works with: the clock, the source of ids, the log, and the call that it answers."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from tracker import time_text
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.services.peers import host_of
from tracker.stores.changes import ORIGIN, PRINCIPAL, Origin
from tracker.stores.documents import READ
from tracker.stores.idempotency import Once
from tracker.traces import HEADER, trace_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from zoneinfo import ZoneInfo

    from protobuf import Message
    from structlog.typing import FilteringBoundLogger

    from tracker.domain.access import Principal
    from tracker.permissions import Permission
    from tracker.stores.idempotency import KeyUse
    from tracker.traces import SpanIds

_BOOTTIME = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC


class Clock(Protocol):
    """The time of day, elapsed time, and waiting."""

    def now(self) -> int:
        """Return microseconds since the epoch, on the clock that all servers of a store share."""

    def elapsed(self) -> float:
        """Return seconds of a monotonic clock that keeps running while the machine is suspended."""

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds of elapsed time."""


MakeClock: TypeAlias = "Callable[[Callable[[], int]], Clock]"
"""Makes the clock of a server from the store's time of day."""


class SystemClock:
    """The store's time of day, and elapsed time of this machine."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now

    def elapsed(self) -> float:
        """Return the seconds since the machine was started."""
        return time.clock_gettime(_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds of the event loop's time."""
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Context:
    """What services share.

    `now` returns microseconds since the epoch, `new_id` a new UUIDv7 in canonical text; `zone` is that of
    dates that name none.
    """

    now: Callable[[], int]
    new_id: Callable[[], str]
    log: FilteringBoundLogger
    zone: ZoneInfo

    def query_clock(self, time_zone: str = "") -> time_text.Clock:
        """Return the clock that resolves the dates and relative times of a query, in the zone of a request.

        Raises:
            TrackerError: INVALID_ARGUMENT; there is no such zone.
        """
        zone = time_text.read_zone(time_zone) if time_zone else self.zone
        if zone is None:
            expected = f"expected a time zone such as Europe/Paris, got {time_zone!r}"
            raise invalid(FieldViolation("time_zone", expected))
        return time_text.Clock(self.now(), zone)

    def report(self, call: Call, message: str, /, **fields: object) -> None:
        """Log what a call does: in the one line of the call, or in a further one if that is taken."""
        if call.did is None:
            call.did = (message, fields)
        else:
            self.log.info(message, request_id=call.request_id, **fields)


T = TypeVar("T")
M = TypeVar("M", bound="Message")
Wire = Literal["grpc", "rest", "http"]
"""How a call arrived: an RPC over gRPC, an RPC over REST, or a plain HTTP request."""
Send: TypeAlias = Callable[[Any], Awaitable[None]]
"""Hands a message of a stream to its caller."""


async def _send_nothing(_message: object) -> None:
    raise TypeError("only a stream sends messages")


class AnswerMemory(Protocol):
    """The memory that a call holds for its answer until that is sent, in `bytes`.

    `owner` is the id of the principal whose memory it is, if any.
    """

    bytes: int
    owner: str

    def hold(self, size: int) -> None:
        """Hold so many bytes, no more and no less.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED; that many are not available, and it holds what it held.
        """

    def add(self, size: int) -> None:
        """Hold so many bytes more, as `hold` does.

        Raises:
            TrackerError: RESOURCE_EXHAUSTED, or CANCELLED: the call has ended.
        """

    def end(self) -> None:
        """Hold nothing from now on."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for the turn to encode a long answer: one at a time, and others are served in between."""


class Route(NamedTuple):
    """The template of the path of an RPC over REST, and the HTTP status of its success."""

    path: str
    success: int


@dataclass(slots=True)
class Call:
    """One call: its wire, its id, the address it came from, and who makes it.

    `headers` are those of HTTP, or the metadata of gRPC, by lower-case name; repeated ones are joined by
    commas. `verb` is that of HTTP. `timeout` is the seconds that the caller is willing to wait, or None for
    any time. `send` returns once the caller can take another message, and may be cancelled. The chain sets
    `principal`, and `use` for a call whose idempotency key is remembered with its change. A service sets
    `undo` where its answer must not get lost; the wire calls it at most once, if the answer is not delivered.
    `notes` are headers of the answer, or trailing metadata. `did` is what its line in the log says.
    `proxy` is the address of the trusted proxy that it came through, or empty. `session` is the token of the
    browser's session that gives it its principal, or empty. `remembered` says whether
    the store remembers the answer with the change. `observed` says whether it reports what has happened
    elsewhere, so that refusing it prevents nothing. `route` is that of an RPC over REST.
    `span` identifies its span, where traces of calls are made.
    """

    wire: Wire
    request_id: str
    peer: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    send: Send = _send_nothing
    principal: Principal = field(init=False, repr=False)
    answer: AnswerMemory = field(init=False, repr=False)
    use: KeyUse | None = None
    undo: Callable[[], None] | None = None
    verb: str = ""
    notes: Sequence[tuple[str, str]] = ()
    did: tuple[str, Mapping[str, object]] | None = None
    proxy: str = ""
    remembered: bool = False
    observed: bool = False
    session: str = field(default="", repr=False)
    route: Route | None = None
    span: SpanIds | None = None

    def made_by(self, principal: Principal) -> None:
        """Set who makes the call, in its task: the change log records that of each change."""
        self.principal = principal
        PRINCIPAL.set(principal.id)
        ORIGIN.set(Origin(self.peer, self.request_id, self.user_agent).text)

    def require(
        self, permission: Permission, service: str = "", environment: str = "", team: str = ""
    ) -> None:
        """Check that the principal has a permission for a record of this service, environment and team.

        Raises:
            TrackerError: UNAUTHENTICATED or PERMISSION_DENIED.
        """
        if not self.principal.may_touch(permission, service, environment, team):
            narrowed = {"service": service, "environment": environment, "team": team}
            where = ", ".join(f"{name} {value}" for name, value in narrowed.items() if value)
            raise permission_required(self.principal, permission, f" for {where}" if where else "")

    def hold_by(self, answer: AnswerMemory) -> None:
        """Set what holds memory for the answer: also for what the store reads for it."""
        self.answer = answer
        READ.set(answer.add)

    @property
    def address(self) -> str:
        """The IP address that the call came from, without the port."""
        return host_of(self.peer)

    @property
    def user_agent(self) -> str:
        """The value of the header `User-Agent`."""
        return self.headers.get("user-agent", "")

    @property
    def trace_id(self) -> str:
        """The id of the trace that the call belongs to, or nothing."""
        parent = self.headers.get(HEADER)
        return "" if parent is None else trace_of(parent)

    @property
    def idempotency_key(self) -> str | None:
        """The header of that name, as it was sent."""
        return self.headers.get("idempotency-key")

    def once(self, answer: Callable[[T], Message]) -> Once[T] | None:
        """Return how the store remembers the answer to this call, or None where the call has no key.

        `answer` returns the answer for the result of the change.
        """
        if self.use is None:
            return None
        self.remembered = True
        return Once(self.use, lambda made: answer(made).to_binary())


def permission_required(principal: Principal, permission: Permission, where: str = "") -> TrackerError:
    """Return the error for a principal that lacks a permission, at all or for a record that `where` names."""
    lacks = {"permission": permission}
    if principal.is_anonymous:
        return TrackerError(Reason.AUTHENTICATION_REQUIRED, "authentication required", metadata=lacks)
    message = f"permission {permission} required{where}"
    return TrackerError(Reason.PERMISSION_REQUIRED, message, metadata=lacks)


def answer_with(response: Callable[..., M], field: str) -> Callable[[object], M]:
    """Return what makes the answer that has a record in `field`, and nothing else."""
    return lambda record: response(**{field: record})


def answer_count(response: Callable[..., M]) -> Callable[[bool], M]:
    """Return what makes the answer that says in `count` whether a record was deleted."""
    return lambda deleted: response(count=int(deleted))
