"""What can be called, and the chain of steps that its calls pass through."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, cast

from tracker import pb
from tracker.errors import Reason, TrackerError
from tracker.pb.options import permission_of
from tracker.permissions import Permission
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import NoReturn

    from protobuf import DescMethod

Handler: TypeAlias = Callable[[Any, Call], Awaitable[Any]]
"""Answers a request. Its first argument is a `Read` up to the step `Deadline`, and then what was read."""

StreamHandler: TypeAlias = Callable[[Any, Call], AsyncGenerator[Any, None]]
"""Answers a request with a stream of messages."""

Read: TypeAlias = Callable[[], Awaitable[object]]
"""Reads the request from its wire, and decodes it.

Raises:
    TrackerError: The request is refused.
"""

UNKNOWN = "unknown"
"""The name of the endpoint for unknown paths, wrong verbs and unknown gRPC methods."""

UNREAD_SECONDS = 60.0
"""How long a message of a stream may wait for its caller to read it."""

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

    `name` is used in the log and in metrics. Callers need `permission`, where it is not None. `rpc` is the
    descriptor of an RPC. Successful calls of a `quiet` endpoint are logged at level debug. One that
    `takes_forms` may be called by a form of a page of this server.
    """

    name: str
    handler: Handler
    permission: Permission | None
    rpc: DescMethod | None = None
    streams: bool = False
    limits: Limits = field(default_factory=Limits)
    quiet: bool = False
    takes_forms: bool = False


class Step(Protocol):
    """One step of the chain."""

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        """Return a handler that runs this step and then `then`, the rest of the chain.

        Called once for each endpoint, when the server is put together. A step that has nothing to do for an
        endpoint returns `then` itself, and costs its calls nothing.
        """


class Chain:
    """The steps that every call passes through, in order."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps
        self._handlers: dict[Endpoint, Handler] = {}

    def compose(self, endpoint: Endpoint) -> Handler:
        """Return the handler of an endpoint's calls; it takes a `Read`, and raises `TrackerError` only.

        All wires and paths of an endpoint have one handler.
        """
        handler = self._handlers.get(endpoint)
        if handler is None:
            handler = endpoint.handler
            for step in reversed(self._steps):
                handler = step.wrap(endpoint, handler)
            self._handlers[endpoint] = handler
        return handler


def current_task() -> asyncio.Task[Any]:
    """Return the task of the call under way."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a call runs in a task")
    return task


def refusing(error: TrackerError) -> Read:
    """Return the `Read` of a request that its wire refuses: such calls are logged and counted too."""

    async def refuse() -> NoReturn:
        raise error

    return refuse


def sending(stream: StreamHandler) -> Handler:
    """Return a handler that hands the messages of a stream to `Call.send`, one by one."""

    async def send_all(request: object, call: Call) -> None:
        async with aclosing(stream(request, call)) as messages:
            async for message in messages:
                try:
                    async with asyncio.timeout(UNREAD_SECONDS):
                        await call.send(message)
                except TimeoutError:
                    raise TrackerError(
                        Reason.CALLER_TOO_SLOW,
                        f"the caller read nothing for {UNREAD_SECONDS:g} s;"
                        " come back with the last resume_token",
                    ) from None

    return send_all


def methods_of(services: Sequence[object]) -> Iterator[Endpoint]:
    """Yield the endpoint of each RPC that the protos declare.

    One of the services has a method of its name in snake case, which answers it.

    Raises:
        ValueError: An RPC has no answer, or more than one, or does not say who may call it.
    """
    for service in (service for file in pb.FILES for service in file.services):
        for rpc in service.methods:
            name = re.sub(r"(?<=.)(?=[A-Z])", "_", rpc.name).lower()
            handlers: list[object] = [getattr(each, name) for each in services if hasattr(each, name)]
            if len(handlers) != 1:
                raise ValueError(f"{name} has {len(handlers)} answers")
            streams = rpc.method_kind == "server_streaming"
            yield Endpoint(
                f"{service.type_name}/{rpc.name}",
                sending(cast("StreamHandler", handlers[0])) if streams else cast("Handler", handlers[0]),
                _permission(rpc),
                rpc=rpc,
                streams=streams,
            )


def _permission(rpc: DescMethod) -> Permission | None:
    """Return the permission that callers of an RPC need, or None if it is public."""
    word = permission_of(rpc)
    if not word:
        raise ValueError(f"{rpc.parent.type_name}/{rpc.name} does not say who may call it")
    return None if word == "public" else Permission(word)
