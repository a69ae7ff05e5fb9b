"""What can be called, and the chain of steps that a call of it passes through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from tracker.services.call import Call

if TYPE_CHECKING:
    from typing import NoReturn

    from protobuf import DescMethod

    from tracker.errors import TrackerError

Handler: TypeAlias = Callable[[Any, Call], Awaitable[Any]]
"""Answers a request. Up to the step `Deadline`, that is the `Read` which provides it; then, what was read."""

StreamHandler: TypeAlias = Callable[[Any, Call], AsyncGenerator[Any, None]]
"""Answers a request with a stream of messages."""

Read: TypeAlias = Callable[[], Awaitable[object]]
"""Reads the request from its wire, and decodes it.

Raises:
    TrackerError: The request is refused.
"""

UNKNOWN = "unknown"
"""The name of whatever is asked for by an unknown path or a wrong verb."""

MAX_BODY = 4 * 1024 * 1024
"""Bytes of the largest request body, the same as gRPC's largest message."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may take.

    `seconds` is None where the server's own limit applies, infinite where a call never waits for anything.
    """

    body_bytes: int = MAX_BODY
    seconds: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """Something that can be called: an RPC or a plain HTTP route.

    `name` stands in the log and in metrics. `rpc` is the descriptor of an RPC of the protos. Successful calls
    of a `quiet` endpoint are logged at level debug.
    """

    name: str
    handler: Handler
    rpc: DescMethod | None = None
    streams: bool = False
    limits: Limits = field(default_factory=Limits)
    quiet: bool = False


class Step(Protocol):
    """One step of the chain."""

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        """Return what runs this step for an endpoint, and `then` what comes after it.

        Called once for each endpoint, when the server is put together: where the step has nothing to do for
        it, `then` itself is returned, and costs a call nothing.
        """


class Chain:
    """The steps that every call passes through, in order."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps

    def compose(self, endpoint: Endpoint) -> Handler:
        """Return what answers the calls of an endpoint; it takes a `Read`, and raises `TrackerError` only."""
        handler = endpoint.handler
        for step in reversed(self._steps):
            handler = step.wrap(endpoint, handler)
        return handler


def refusing(error: TrackerError) -> Read:
    """Return the `Read` of a request that its wire refuses: such calls are logged and counted too."""

    async def refuse() -> NoReturn:
        raise error

    return refuse
