"""HTTP/2 connections of a server (RFC 9113): flow control, limits, keepalive and shutdown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from tracker.api.http2_engine import CANCEL, NO_ERROR, WINDOW, Engine, Http2Error, deliver, farewell
from tracker.api.http2_receipts import Receipts
from tracker.api.wires import close, peer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api.http2_engine import Header
    from tracker.api.http2_stream import Accept, ConnectionLimits, Stream
    from tracker.api.wires import OpenConnections

_LONG_BODIES = 32 * 1024 * 1024
"""Bytes that the windows of streams with long messages have together."""
_PART = 64 * 1024
"""Bytes that a connection hands to its transport in a turn of the event loop."""
_PIECE = 4 * 1024
"""Bytes that a connection looks at together: at most some 200 requests."""
_EVENTS = 64
"""Events after which a connection leaves further pieces to another turn of the event loop."""
_PING_INTERVAL = 9.0
"""Seconds between two pings of a client, unless answers are sent in between; some ping every 10."""
_PING_STRIKES = 2
"""How often a client may ping sooner than that."""
_LAST_CALLS = 1.0
"""Seconds for which a connection that is to be closed accepts calls of a client that does not react."""


class Http2Connection(asyncio.Protocol):
    """One connection of a client.

    It reads no further while its client reads nothing, and handles a bounded number of frames in a turn of
    the event loop.
    """

    peer: tuple[str, int]
    _transport: asyncio.Transport
    _timer: asyncio.TimerHandle

    def __init__(
        self, accept: Accept, limits: ConnectionLimits, open_: OpenConnections[Http2Connection]
    ) -> None:
        """Prepare for a client; `open_` has the connection while that lasts, after the handshake of TLS."""
        self._accept = accept
        self._limits = limits
        self._open = open_
        # The windows of streams bound what is received; that of the connection is as large as all of them.
        window = limits.streams * WINDOW + _LONG_BODIES
        self.engine = Engine(limits.streams, limits.metadata_bytes, window)
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, Stream] = {}
        self._sending: set[Stream] = set()
        self._long: dict[Stream, int] = {}
        self._backlog = b""
        self._flushing = self._paused = self._greeted = self._leaving = False
        self._finished = self._pinged = self._stuck = False
        self._heard = self._idle = self._loop.time()
        self._last_ping = -_PING_INTERVAL
        self._strikes = 0
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open.add(self)
        self._timer = self._loop.call_later(self._limits.handshake_seconds, self.abort)
        self._receipts = Receipts(self.engine, self._transport)
        self.peer = peer_of(transport)
        self._flush_soon()

    def data_received(self, data: bytes) -> None:
        """Handle the frames of the client."""
        self._heard = self._loop.time()
        self._pinged = False
        if self._backlog:  # which some transports deliver although reading is paused
            self._backlog += data
        else:
            self._receive(data)

    def _receive(self, data: bytes) -> None:
        """Handle some of the frames received, and the others in later turns."""
        engine, at, left = self.engine, 0, _EVENTS
        while at < len(data) and left > 0:
            try:
                engine.receive_data(data[at : at + _PIECE])
            except Http2Error as error:  # this is no HTTP/2, or too much of it
                self._receipts.settle()
                self._transport.write(farewell(error))
                close(self._transport)
                return
            at += _PIECE
            events = engine.events()
            left -= len(events)
            deliver(events, self)
        if at < len(data) and not self._finished:
            self._backlog = data[at:]
            self._transport.pause_reading()
            self._loop.call_soon(self._receive_backlog)
        if engine.want_write:
            self._flush_soon()

    def _receive_backlog(self) -> None:
        data, self._backlog = self._backlog, b""
        if not self._transport.is_closing():
            self._receive(data)
            self._read_on()

    def eof_received(self) -> None:
        self._receipts.settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the calls whose answer can no longer be sent."""
        self._timer.cancel()
        if self._unread_timer is not None:
            self._unread_timer.cancel()
        self._receipts.settle(lost=exc is not None)
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            self._close(stream, delivered=False)
        self._sending.clear()
        self._open.end(self)

    def pause_writing(self) -> None:
        """Read no further until the client reads."""
        self._paused = True
        self._transport.pause_reading()
        self._watch_unread()

    def resume_writing(self) -> None:
        self._paused = self._stuck = False
        self._read_on()
        self._flush_soon()

    def drain(self) -> None:
        """Close the connection as soon as the calls under way, and on their way, have been answered."""
        if self._leaving:
            return
        self._leaving = True
        if self._greeted:
            self.engine.give_notice()
            self._receipts.after_ping(self._go_away)
            self._loop.call_later(_LAST_CALLS, self._go_away)
            self._flush_soon()
        else:
            close(self._transport)

    def cut_off(self) -> None:
        """Accept no more calls, and end those under way."""
        self._leaving = True
        self._go_away()
        for stream in list(self._streams.values()):
            stream.cut_off()

    def abort(self) -> None:
        """End the connection at once."""
        self._receipts.settle()
        self._transport.abort()

    def _flush(self) -> None:
        """Hand to the transport what there is to send, and the client has room for."""
        self._flushing = False
        if self._paused or self._transport.is_closing():
            return
        try:
            data = self._pull()
            if len(data) < _PART and (self._sending or self._receipts.due):
                self._all_sent()
                data += self._pull()
        except Http2Error:
            self.abort()
            return
        if data:
            self._transport.write(data)
        if self._finished:
            close(self._transport)
        elif len(data) >= _PART or self._receipts.due:
            self._flush_soon()

    def sending(self, stream: Stream) -> None:
        self._strikes = 0
        self._sending.add(stream)
        self._flush_soon()

    def make_room(self, stream: Stream, size: int) -> None:
        """Let the client send a message on a stream; a long one when earlier ones leave room for it."""
        window = 2 * size  # since the engine enlarges a window when half of it is consumed
        if window > WINDOW and self._long.get(stream) != window:
            self._long[stream] = window
            self._admit()
        self._flush_soon()

    def on_request(self, stream_id: int, headers: Sequence[Header], *, complete: bool) -> None:
        self._streams[stream_id] = stream = self._accept(self, stream_id, headers)
        if complete:
            stream.is_complete = True
            stream.received(b"")

    def on_data(self, stream_id: int, data: bytes, *, complete: bool) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.is_complete = complete
            stream.unconsumed += len(data)
            stream.received(data)
            if complete and self._long.pop(stream, 0):
                self._admit()

    def on_reset(self, stream_id: int) -> None:
        """Note that a client is not interested in an answer, which may be on its way."""
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.is_reset = True
        else:
            self._receipts.lose(stream_id)

    def on_closed(self, stream_id: int, *, cleanly: bool) -> None:
        stream = self._streams.pop(stream_id, None)
        if stream is not None:
            self._sending.discard(stream)
            self._close(stream, delivered=cleanly and stream.is_answered and not stream.is_reset)
            if not self._streams:
                self._idle = self._loop.time()

    def on_settings(self) -> None:
        if not self._greeted:
            self._greeted = True
            self._timer.cancel()
            self._watch()

    def on_ping(self) -> None:
        """End the connection of a client that pings too often."""
        self._strikes += self._heard < self._last_ping + _PING_INTERVAL
        self._last_ping = self._heard
        if self._strikes > _PING_STRIKES:
            self.engine.refuse_service(b"too_many_pings")
            self.on_end()

    def on_ping_answer(self, number: int) -> None:
        self._receipts.answered(number)

    def on_end(self) -> None:
        """Close the connection after what is left to be sent."""
        self._finished = True
        self._flush_soon()

    def _flush_soon(self) -> None:
        """Send at the end of the event loop's turn: what several calls have to send goes together."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _pull(self) -> bytes:
        """Return what there is to send, up to a part of it."""
        engine = self.engine
        queued = engine.queued_body_size()
        data = engine.data_to_send(_PART)
        if engine.queued_body_size() < queued:
            self._strikes = 0  # clients measure by pings how fast they receive
        deliver(engine.events(), self)
        return data

    def _all_sent(self) -> None:
        """Note what has been sent of each answer, when no client has room for more."""
        for stream in [stream for stream in self._sending if not stream.unsent]:
            self._sending.discard(stream)
            stream.blocked = 0
            stream.sent()
            if stream.is_answered and not stream.is_complete:  # the rest of the request is of no use
                self.engine.reset(stream.id, NO_ERROR)
        if self._sending:
            self._watch_unread()
        if self._receipts.due:
            self._receipts.ping()

    def _watch_unread(self) -> None:
        if self._unread_timer is None:
            self._unread_timer = self._loop.call_later(self._limits.unread_seconds, self._end_unread)

    def _end_unread(self) -> None:
        """Cut off answers of which nothing was read since the last time, or a stuck connection."""
        self._unread_timer = None
        if self._stuck:
            self.abort()
            return
        self._stuck = self._paused
        for stream in () if self._paused else self._sending:
            unsent = stream.unsent
            if unsent and unsent == stream.blocked:
                self.engine.reset(stream.id, CANCEL)
                self._flush_soon()
            stream.blocked = unsent
        if self._paused or self._sending:
            self._watch_unread()

    def _read_on(self) -> None:
        if not self._paused and not self._backlog and not self._transport.is_closing():
            self._transport.resume_reading()

    def _close(self, stream: Stream, *, delivered: bool) -> None:
        stream.consume()
        stream.is_closed = True
        if stream.lost is not None:
            if delivered:
                self._receipts.expect(stream.id, stream.lost)
            else:
                stream.lost()
        if self._long.pop(stream, 0):
            self._admit()
        stream.closed()

    def _admit(self) -> None:
        """Enlarge the windows of the streams that have waited longest."""
        room = _LONG_BODIES
        for stream, window in self._long.items():
            room -= window
            if room < 0:
                break
            self.engine.widen(stream.id, window)
        self._flush_soon()

    def _go_away(self) -> None:
        """Have the engine end the connection after the last of its streams."""
        self.engine.go_away()
        self._flush_soon()

    def _watch(self) -> None:
        """Close an idle connection, ping a silent client, and end the connection of one that is gone."""
        limits, now = self._limits, self._loop.time()
        wait = self._heard + limits.ping_seconds - now
        if wait <= 0:
            wait = self._heard + limits.silent_seconds - now
            if wait <= 0:
                self.abort()
                return
            if not self._pinged:
                self._pinged = True
                self.engine.send_ping(0)
                self._flush_soon()
        if not self._streams and not self._leaving:
            idle = self._idle + limits.idle_seconds - now
            if idle <= 0:
                self.drain()
            else:
                wait = min(wait, idle)
        self._timer = self._loop.call_later(wait, self._watch)
