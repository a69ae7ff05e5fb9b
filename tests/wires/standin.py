"""Services that answer what a test wants and remember what they were asked, behind the real chain."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import structlog

from tracker import pb
from tracker.api.calls.access import Authenticate, Authorize
from tracker.api.calls.answers import UnsentAnswers
from tracker.api.calls.callers import LimitCallers
from tracker.api.calls.endpoint import Chain, methods_of
from tracker.api.calls.same_origin import SameOrigin
from tracker.api.calls.steps import (
    Deadline,
    Idempotency,
    Observe,
    OpenStreams,
    Validate,
)
from tracker.api.calls.turns import Turns
from tracker.domain.access import ANONYMOUS
from tracker.services.access.attempts import FailedAttempts
from tracker.services.context import Context
from tracker.services.idempotency import IdempotencyKeys

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import grpc.aio
    from protobuf import Message
    from structlog.typing import FilteringBoundLogger

    from tracker.api.calls.endpoint import StreamHandler
    from tracker.api.routes import HttpRoute
    from tracker.errors import Reason
    from tracker.services.context import Call
    from tracker.stores.idempotency import KeyUse

    Handler = Callable[[Message, Call], Awaitable[Message]]

BOUND = 60.0
"""Seconds that any wait in these tests may take."""


class StandIn:
    """Every service of the protos: each method answers an empty message unless a test says otherwise."""

    def __init__(self, log: FilteringBoundLogger | None = None, unsent_mib: int = 64) -> None:
        self.asked: list[tuple[Message, Call]] = []
        self.answers: dict[str, Handler] = {}
        self.watch: StreamHandler
        log = log or structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
        self.routes: list[HttpRoute] = []
        self.observed = Observed()
        self.streams = OpenStreams()
        self.unsent = UnsentAnswers(unsent_mib, self.observed)
        self.chain = Chain(
            Observe(self.observed, log),
            self.unsent,
            Authenticate((), lambda _: None, ANONYMOUS, FailedAttempts()),
            LimitCallers(None, Turns()),
            Authorize(),
            SameOrigin(),
            self.streams,
            Deadline(30),
            Validate(),
            Idempotency(IdempotencyKeys(_NoKeys(), Context(int, str, log, ZoneInfo("UTC")))),
        )
        self.methods = tuple(methods_of([_Service(self)]))

    @property
    def request(self) -> Message:
        """The last request."""
        return self.asked[-1][0]

    @property
    def call(self) -> Call:
        """What the wire said of the last call."""
        return self.asked[-1][1]

    def answer(self, method: str, answer: Message | Exception) -> None:
        """Let a method answer a message, or an error."""

        async def handler(_request: Message, _call: Call) -> Message:
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.answers[method] = handler


class _Service:
    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in

    def watch_events(self, request: Message, call: Call) -> AsyncGenerator[Message, None]:
        return self._stand_in.watch(request, call)

    def __getattr__(self, name: str) -> Handler:
        output = _OUTPUTS[name]

        async def handler(request: Message, call: Call) -> Message:
            self._stand_in.asked.append((request, call))
            answer = self._stand_in.answers.get(name)
            return output() if answer is None else await answer(request, call)

        return handler


_OUTPUTS = {
    re.sub(r"(?<=.)(?=[A-Z])", "_", method.name).lower(): method.output.type
    for file in pb.FILES
    for service in file.services
    for method in service.methods
}


class _NoKeys:
    async def find(self, key: str, now: int, *, also: str = "") -> None:
        pass

    async def remember(self, use: KeyUse, answer: bytes) -> None:
        pass


class Observed:
    """What is reported of calls."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.under_way = 0
        self.refused = 0
        self.finished: list[tuple[str, str, str]] = []
        self.authorized: list[tuple[str, Reason | None]] = []

    def unsent_bytes(self, read: Callable[[], float]) -> None:
        self.unsent: Callable[[], float] = read

    def answer_refused(self) -> None:
        self.refused += 1

    def calls_under_way(self, change: int) -> None:
        self.under_way += change
        self.changed.set()

    def call_finished(self, method: str, wire: str, code: str, seconds: float) -> None:
        assert seconds >= 0
        self.finished.append((method, wire, code))
        self.changed.set()

    def call_authorized(self, principal: str, reason: Reason | None) -> None:
        self.authorized.append((principal, reason))


class Held:
    """A handler that waits until it is let go, and tells that it has begun or was cancelled."""

    def __init__(self, answer: Message) -> None:
        self._answer = answer
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, _request: Message, _call: Call) -> Message:
        self.begun.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return self._answer


def unary(channel: grpc.aio.Channel, path: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
    """Return a method that takes and answers bytes."""
    return channel.unary_unary(path)


async def exchange(port: int, *parts: bytes, pause: float = 0, end: bool = False) -> bytes:
    """Send bytes on a new connection, and `end` it; return all that comes back until its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(BOUND):
            for part in parts:
                writer.write(part)
                await writer.drain()
                if pause:
                    await asyncio.sleep(pause)
            if end:
                writer.write_eof()
            return await reader.read()
    finally:
        writer.close()
