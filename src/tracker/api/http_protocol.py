"""HTTP/1.1 connections with limits of time and size, which uvicorn lacks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tracker.api import http_head
from tracker.api.http_answers import EXPECT_RECEIPT, AnswerTransport, Outbox, Receipt
from tracker.api.wires import NOSNIFF, http_answer, request_id_of
from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from tracker.api.calls.answers import UnsentAnswers


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


class HttpConfig(uvicorn.Config):
    """uvicorn's configuration, and what all connections share."""

    limits: HttpLimits
    draining = False
    """Whether the server stops: every answer then ends its connection."""

    def __init__(self, app: ASGIApp, limits: HttpLimits, unsent: UnsentAnswers) -> None:
        """Serve bare HTTP/1.1: no WebSocket, no access log, no logging configuration of its own."""
        super().__init__(
            app,
            http=HttpConnection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            headers=[NOSNIFF],
            timeout_keep_alive=limits.idle_seconds,
        )
        self.limits = limits
        self.unsent = unsent
        self.connection_ended = asyncio.Event()
        self.outbox = Outbox()


class _Reading(Enum):
    """What the connection waits for."""

    NOTHING = auto()
    HEAD = auto()
    BODY = auto()


class _Refused(Exception):  # noqa: N818 - stops the parser, and never leaves this module
    """The request under way goes no further."""


class HttpConnection(HttpToolsProtocol):
    """One connection: closed when it is too slow or sends too much; its end cancels its calls."""

    def __init__(
        self,
        config: HttpConfig,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._http = config
        self._limits = config.limits
        self._reading = _Reading.HEAD
        self._timed = _Reading.NOTHING
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0
        self._keep_alive = True
        self._lingering = False
        self._declining = False
        self._method = b""
        self._refusal: TrackerError | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._receipt: Receipt | None = None
        self._extensions: dict[str, dict[object, object]] = {EXPECT_RECEIPT: {"of": self._expect_receipt}}
        self._unsent = self._http.unsent.answer()
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Start the timer: it also ends a connection that never sends anything."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # so that `pause_writing` counts all that is unread
        self._answers = AnswerTransport(transport, self._http.outbox, self._end)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the calls whose answer can no longer be sent."""
        super().connection_lost(exc)
        self._all_sent()
        self._reading = _Reading.NOTHING
        self._watch()
        if self._receipt is not None:
            self._receipt.settle(lost=exc is not None)
        self._cancel_calls()
        self._http.connection_ended.set()

    def _cancel_calls(self) -> None:
        for call in self._calls:
            call.cancel()

    def eof_received(self) -> None:
        """Note that the client closes the connection, and with which of its answers."""
        if self._receipt is not None:
            self._http.outbox.flush()
            self._receipt.closed(sent_end=self._lingering)
        self._cancel_calls()  # now: the connection is reported as lost a few turns of the event loop later

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and enforce the limits."""
        self._received += len(data)
        if self._lingering:
            if self._received > self._limits.message_bytes:
                self.transport.abort()
            return
        if self._receipt is not None:
            self._receipt.settle(lost=False)  # the next request comes after the answer
            self._receipt = None
        self._unset_keepalive_if_required()
        self._parse(data)
        if self.transport.is_closing() or self._lingering:
            return
        if self._reading is _Reading.HEAD and self._received > self._limits.head_bytes:
            self._refuse(_head_too_large(self._limits))
        elif self._received > self._limits.message_bytes:
            self._refuse(TrackerError(Reason.REQUEST_TOO_LARGE, "the request is too large"))
        else:
            self._watch()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            self._declining = False
            self.parser = httptools.HttpRequestParser(self)
            self._parse(http_head.without_upgrade(self._method, self.url, self.headers) + rest)
        except httptools.HttpParserError:
            error = TrackerError(Reason.INVALID_HTTP, "this is not HTTP/1.1")
            self._refuse(self._refusal or error)

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._reading = _Reading.HEAD

    def on_headers_complete(self) -> None:
        """Pass the request to the application.

        An answer sent before the request is complete ends the connection: the bytes that follow may be
        the rest of the body, or not.
        """
        if self._received > self._limits.head_bytes and self._head_size() > self._limits.head_bytes:
            self._refusal = _head_too_large(self._limits)
            raise _Refused
        if wrong := http_head.mistake(self.parser.get_http_version(), self.headers):
            self._refusal = TrackerError(Reason.INVALID_HTTP, wrong)
            raise _Refused
        self._method = self.parser.get_method()
        if self.parser.should_upgrade() and self._method != b"CONNECT":
            self._declining = True
            return
        super().on_headers_complete()
        self._reading = _Reading.BODY
        self._keep_alive = self.cycle.keep_alive and not self._http.draining
        self.cycle.keep_alive = False
        self.cycle.transport = self._answers

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        if self._declining:
            return
        super().on_message_complete()
        self.cycle.keep_alive = self._keep_alive
        self._reading = _Reading.NOTHING
        self._received = 0
        self._stop_timer()

    def on_response_complete(self) -> None:
        """Send the rest of the answer, and start the next request."""
        self._answers.finish()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Count what the client has not read yet; abort the connection if that lasts."""
        super().pause_writing()
        self._unsent.hold(self.transport.get_write_buffer_size())
        self._unread_timer = self.loop.call_later(self._limits.idle_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client has read everything."""
        super().resume_writing()
        self._all_sent()

    def _all_sent(self) -> None:
        self._unsent.hold(0)
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def drain(self) -> None:
        """Make the answer under way the connection's last."""
        self._keep_alive = False
        if self.cycle is not None:
            self.cycle.keep_alive = False

    @property
    def idle(self) -> bool:
        """Whether no request is under way."""
        return self._lingering or (
            self._reading is not _Reading.BODY and (self.cycle is None or self.cycle.response_complete)
        )

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Callable[..., Awaitable[None]]) -> None:
        """Run the application in a task of this connection, which its end cancels."""
        task = self.loop.create_task(cycle.run_asgi(app))
        self.tasks.add(task)
        self._calls.add(task)
        task.add_done_callback(self._call_ended)

    def _call_ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._calls.discard(task)

    def _watch(self) -> None:
        """Set the timer for what the connection waits for."""
        if self._timed is self._reading:
            return
        self._stop_timer()
        self._timed = self._reading
        if self._reading is not _Reading.NOTHING:
            head = self._reading is _Reading.HEAD
            seconds = self._limits.head_seconds if head else self._limits.body_seconds
            self._timer = self.loop.call_later(seconds, self._too_slow)

    def _stop_timer(self) -> None:
        self._timed = _Reading.NOTHING
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timed = _Reading.NOTHING
        if self.flow.read_paused:
            self._watch()  # this server has paused reading
            return
        what = "headers" if self._reading is _Reading.HEAD else "body"
        message = f"the request's {what} took too long to arrive"
        self._refuse(TrackerError(Reason.REQUEST_TIMEOUT, message))

    def _refuse(self, error: TrackerError) -> None:
        """Answer an error and end the connection; where another answer is under way, only end it."""
        self._http.outbox.flush()
        answering = self.cycle is not None and not self.cycle.response_complete
        if not self.pipeline and not (
            answering and (self.cycle.response_started or not self.cycle.more_body)
        ):
            self.transport.write(http_answer(error, request_id_of(None)))
            if self.cycle is not None:
                self.cycle.disconnected = True  # what its call may still answer is not sent
        self._linger()

    def _expect_receipt(self, undo: Callable[[], None]) -> None:
        if self._receipt is not None:
            self._receipt.settle(lost=False)  # of a pipelined request
        if self.transport.is_closing():
            undo()
        else:
            self._receipt = Receipt(self.transport, undo)

    def _end(self) -> None:
        if self._reading is _Reading.NOTHING and self._receipt is None:
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Close the connection after its client had time to read the answer.

        Closing it at once, with bytes of the request unread, would reset it, and many clients would
        report that instead of the answer.
        """
        if self._lingering or self.transport.is_closing():
            return
        self._lingering = True
        self._received = 0
        self._reading = _Reading.NOTHING
        self._stop_timer()
        self.flow.resume_reading()
        self.transport.write_eof()
        self._timer = self.loop.call_later(self._limits.linger_seconds, self.transport.abort)

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)


def _head_too_large(limits: HttpLimits) -> TrackerError:
    text = f"the request's headers are larger than {limits.head_bytes} bytes"
    return TrackerError(Reason.HEADERS_TOO_LARGE, text)
