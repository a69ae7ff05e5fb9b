"""HTTP/1.1 connections, with limits of time and size."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias, cast

from tracker.api.http_answers import Outbox, Receipt
from tracker.api.http_exchange import HttpExchange
from tracker.api.http_parser import HttpParser
from tracker.api.wires import OpenConnections, address, close, http_answer, peer_of, request_id_of
from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracker.api.calls.answers import UnsentAnswers
    from tracker.api.http_parser import Head
    from tracker.services.context import AnswerMemory

    HttpApp: TypeAlias = Callable[[HttpExchange], Awaitable[None]]
    """Answers a request; whatever goes wrong is an answer too."""

_READ_AHEAD = 64 * 1024
"""Bytes of a body that are read before its call asks for them."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one connection may take: seconds, and bytes."""

    head_seconds: float = 10
    """From the first byte of a request, or from the connection's start, to the end of its headers."""
    body_seconds: float = 30
    """From the end of the headers to the end of the body."""
    linger_seconds: float = 2
    """For discarding the rest of a refused request, so that its client gets to read the answer."""
    idle_seconds: int = 75
    """Between two requests on one connection."""
    head_bytes: int = 64 * 1024
    """The request line and all headers."""
    message_bytes: int = 16 * 1024 * 1024
    """One whole request on the wire, with chunk sizes and trailers: this bounds what the parser buffers."""

    @classmethod
    def for_bodies(cls, largest: int) -> HttpLimits:
        """Return the limits for bodies of up to `largest` bytes: a route that takes them may ask for that."""
        return cls(message_bytes=max(cls().message_bytes, 2 * largest))


@dataclass(slots=True, eq=False)
class Connections:
    """The connections of a server, and what they share."""

    app: HttpApp
    limits: HttpLimits
    unsent: UnsentAnswers
    outbox: Outbox = field(default_factory=Outbox)
    draining: bool = False
    """Whether the server stops: every answer then ends its connection."""
    open: OpenConnections[HttpConnection] = field(default_factory=OpenConnections)
    cancelled: set[asyncio.Task[None]] = field(default_factory=set)
    """The tasks of connections that have been cancelled, until they end."""


class _Awaiting(Enum):
    """What a connection waits for."""

    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    REQUEST = auto()
    END = auto()


class HttpConnection(asyncio.Protocol):
    """One connection: closed when it is too slow or sends too much; its end cancels its call.

    One request is answered at a time. Pipelined ones wait, and nothing more is read meanwhile.
    """

    def __init__(self, shared: Connections) -> None:
        limits = shared.limits
        self.peer = ""
        self.transport: asyncio.Transport
        self._shared = shared
        self._loop = asyncio.get_running_loop()
        self._parser = HttpParser(self, limits.head_bytes, limits.message_bytes)
        self._incoming: HttpExchange | None = None
        self._requests: deque[HttpExchange] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._request: asyncio.Future[None] | None = None
        self._receipt: Receipt | None = None
        self._discarded = 0
        self._seconds = {
            _Awaiting.HEAD: limits.head_seconds,
            _Awaiting.BODY: limits.body_seconds,
            _Awaiting.REQUEST: float(limits.idle_seconds),
            _Awaiting.END: limits.linger_seconds,
        }
        self._awaiting = _Awaiting.HEAD
        self._timed: _Awaiting | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.unsent: AnswerMemory = shared.unsent.answer()
        self._unread_timer: asyncio.TimerHandle | None = None
        self._reading = True
        self.writable = asyncio.Event()
        self.writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer: it also ends a connection that never sends anything."""
        self.transport = cast("asyncio.Transport", transport)
        self.peer = address(*peer_of(transport))
        # So that `pause_writing` counts all that is unread. With 0, a transport of TLS would pause for ever.
        self.transport.set_write_buffer_limits(high=1, low=0)
        self._shared.open.add(self)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the call whose answer can no longer be sent."""
        self._shared.open.end(self)
        self._parser.close()
        self._all_sent()
        if self._timer is not None:
            self._timer.cancel()
        if self._receipt is not None:
            self._receipt.settle(lost=exc is not None)
        self.cancel()

    def eof_received(self) -> None:
        """Note that the client closes the connection, and with which of its answers."""
        if self._receipt is not None:
            self._shared.outbox.flush()
            self._receipt.closed(sent_end=self._awaiting is _Awaiting.END)
        self.cancel()  # now: the connection is reported as lost a few turns of the event loop later

    def cancel(self) -> None:
        """Cancel the call under way; none follows it."""
        if self._serving is not None:
            self._shared.cancelled.add(self._serving)
            self._serving.add_done_callback(self._shared.cancelled.discard)
            self._serving.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, unless the connection is about to end."""
        if self._awaiting is _Awaiting.END:
            self._discarded += len(data)
            if self._discarded > self._shared.limits.message_bytes:
                self.transport.abort()
            return
        if self._receipt is not None:
            self._receipt.settle(lost=False)  # the next request comes after the answer
            self._receipt = None
        try:
            self._parser.feed(data)
        except TrackerError as error:
            self._refuse(error)
        else:
            self._watch()

    def request_begun(self) -> None:
        """Give the client time for the head of a request."""
        self._awaiting = _Awaiting.HEAD

    def head_received(self, head: Head) -> None:
        """Have a request answered, after those before it."""
        self._awaiting = _Awaiting.BODY
        self._incoming = HttpExchange(self, head)
        self._requests.append(self._incoming)
        if len(self._requests) > 1:
            self._pause_reading()
        elif self._serving is None:
            self._serving = self._loop.create_task(self._serve())
        elif self._request is not None and not self._request.done():
            self._request.set_result(None)

    def body_received(self, data: bytes) -> None:
        """Pass on a part of the body, and read no further ahead than the call does."""
        if self._incoming is not None and self._incoming.take(data) > _READ_AHEAD:
            self._pause_reading()

    def request_ended(self, *, lasting: bool) -> None:
        """Note that a request is complete: the connection may outlast its answer.

        An answer that is sent earlier ends the connection: the bytes that follow may be the rest of the
        body, or not.
        """
        self._awaiting = _Awaiting.ANSWER
        self._timed = None
        exchange, self._incoming = self._incoming, None
        if exchange is not None:
            exchange.complete(lasting=lasting and not self._shared.draining)

    async def _serve(self) -> None:
        """Answer one request after the other, until the connection ends, which cancels this task."""
        lasting = True
        while lasting:
            if not self._requests:
                self._request = self._loop.create_future()
                await self._request
            try:
                await self._shared.app(self._requests[0])
            finally:
                lasting = self._lasts(self._requests.popleft())

    def _lasts(self, exchange: HttpExchange) -> bool:
        """Return whether another request may be answered after this one; if not, end the connection."""
        if self._awaiting is _Awaiting.END or self.transport.is_closing():
            return False
        if not exchange.answered:
            close(self.transport)  # the client sees that the answer lacks its end
        elif not exchange.lasting:
            self._end()
        elif not self._requests:
            self.resume_reading()
            if self._awaiting is _Awaiting.ANSWER:
                self._awaiting = _Awaiting.REQUEST
                self._watch()
        return exchange.lasting and exchange.answered

    def send(self, data: bytes) -> None:
        """Send a part of an answer, before the event loop waits again."""
        if self._awaiting is not _Awaiting.END:
            self._shared.outbox.put(self.transport, data)

    def pause_writing(self) -> None:
        """Count what the client has not read yet; abort the connection if that lasts."""
        self.writable.clear()
        self.unsent.hold(self.transport.get_write_buffer_size())
        seconds = self._shared.limits.idle_seconds
        self._unread_timer = self._loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client has read everything."""
        self._all_sent()

    def _all_sent(self) -> None:
        self.writable.set()
        self.unsent.hold(0)
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on, if that was paused."""
        if not self._reading:
            self._reading = True
            self.transport.resume_reading()

    def drain(self) -> None:
        """Make the answer under way the connection's last."""
        if self._requests:
            self._requests[0].lasting = False

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return not self._requests

    def _watch(self) -> None:
        """Set the timer for what the connection waits for: one timer, which goes off too early at times."""
        if self._timed is self._awaiting:
            return
        self._timed = self._awaiting
        if self._awaiting is not _Awaiting.ANSWER:
            self._deadline = self._loop.time() + self._seconds[self._awaiting]
            if self._timer is None or self._timer.when() > self._deadline:
                self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        """Refuse a request that is too slow, or end a connection that has waited long enough."""
        self._timer = None
        if self._awaiting is _Awaiting.ANSWER:
            return
        if self._loop.time() < self._deadline:
            self._set_timer()
        elif self._awaiting is _Awaiting.END:
            self.transport.abort()
        elif self._awaiting is _Awaiting.REQUEST:
            close(self.transport)
        elif not self._reading:
            self._timed = None  # this server has paused reading: once more
            self._watch()
        else:
            what = "headers" if self._awaiting is _Awaiting.HEAD else "body"
            message = f"the request's {what} took too long to arrive"
            self._refuse(TrackerError(Reason.REQUEST_TIMEOUT, message))

    def _refuse(self, error: TrackerError) -> None:
        """Answer an error and end the connection; where another answer is under way, only end it."""
        self._shared.outbox.flush()
        if not self._requests or self._requests[0].refuse():
            self.transport.write(http_answer(error, request_id_of(None)))
        self._linger()

    def expect_receipt(self, undo: Callable[[], None]) -> None:
        """Have `undo` called if the answer, which is sent next, does not reach the client."""
        if self._receipt is not None:
            self._receipt.settle(lost=False)  # of a pipelined request
        if self.transport.is_closing():
            undo()
        else:
            self._receipt = Receipt(self.transport, undo)

    def _end(self) -> None:
        self._shared.outbox.flush()
        if self._awaiting is _Awaiting.ANSWER and self._receipt is None:
            close(self.transport)
        else:
            self._linger()

    def _linger(self) -> None:
        """Close the connection after its client had time to read the answer.

        Closing it at once, with bytes of the request unread, would reset it, and many clients would
        report that instead of the answer.
        """
        if self._awaiting is _Awaiting.END or self.transport.is_closing():
            return
        self._awaiting = _Awaiting.END
        self.resume_reading()
        if not self.transport.can_write_eof():  # over TLS
            close(self.transport)
            return
        self.transport.write_eof()
        self._watch()
