"""One HTTP/2 request, and the answer to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tracker.api.http2_engine import Http2Error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tracker.api.http2_engine import Engine, Header


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one connection may take: seconds, bytes and calls."""

    handshake_seconds: float = 10
    """From the start of a connection to the end of the HTTP/2 handshake."""
    metadata_bytes: int = 16 * 1024
    streams: int = 1000
    """Concurrent calls on one connection; further ones wait in the client."""
    idle_seconds: float = 900
    """After which a connection without calls is closed; clients reconnect on their own."""
    ping_seconds: float = 60
    """After which a silent client is pinged."""
    silent_seconds: float = 80
    """After which a client that is silent all the same is taken for dead."""
    unread_seconds: float = 60
    """After which an answer is cut off, or a connection ended, of which the client reads nothing."""


class StreamOwner(Protocol):
    """The connection of a stream."""

    engine: Engine
    peer: tuple[str, int]

    def sending(self, stream: Stream) -> None:
        """Send what the engine was given for a stream."""

    def make_room(self, stream: Stream, size: int) -> None:
        """Let the client send a message of so many bytes on a stream."""


class Stream:
    """One request, and the answer to it; subclasses override `received`, `sent`, `closed` and `cut_off`."""

    __slots__ = (
        "blocked",
        "connection",
        "id",
        "is_answered",
        "is_closed",
        "is_complete",
        "is_reset",
        "lost",
        "unconsumed",
    )

    def __init__(self, connection: StreamOwner, stream_id: int) -> None:
        self.connection = connection
        self.id = stream_id
        self.is_complete = False
        """Whether the client has sent its whole request."""
        self.is_answered = False
        """Whether the engine has the whole answer."""
        self.is_reset = False
        """Whether the client has cancelled its request."""
        self.is_closed = False
        """Whether nothing can be sent any more."""
        self.unconsumed = 0
        """Bytes received that still count against the windows."""
        self.blocked = 0
        """Bytes that were unsent when the connection looked last."""
        self.lost: Callable[[], None] | None = None

    def received(self, data: bytes) -> None:
        """Take a part of the body; `is_complete` says whether it is the last one."""

    def sent(self) -> None:
        """Note that all data given to `send` was handed to the transport."""

    def closed(self) -> None:
        """Note that the answer is sent, or never will be."""

    def cut_off(self) -> None:
        """End the answer under way with an error."""

    def send(
        self, data: Iterable[bytes] = (), *, headers: Sequence[Header] = (), trailers: Sequence[Header] = ()
    ) -> None:
        """Send the headers of the answer, some of its body, or the trailers that end it, in this order."""
        if self.is_closed:
            return
        engine, stream_id = self.connection.engine, self.id
        try:
            if headers:
                engine.send_response(stream_id, headers)
            for part in data:
                engine.send_data(stream_id, part)
            if trailers:
                engine.send_trailers(stream_id, trailers)
                self.is_answered = True
        except Http2Error:
            return
        self.connection.sending(self)

    def send_headers_alone(self, headers: Sequence[Header]) -> None:
        """Send an answer that has no body."""
        if self.is_closed:
            return
        try:
            self.connection.engine.send_response(self.id, headers, end_stream=True)
        except Http2Error:
            return
        self.is_answered = True
        self.connection.sending(self)

    @property
    def unsent(self) -> int:
        """How many bytes of the answer's body are not sent yet."""
        return 0 if self.is_closed else self.connection.engine.queued_body_size(self.id)

    def make_room(self, size: int, held: int) -> None:
        """Let the client send the rest of a message of so many bytes, of which `held` are here."""
        self.consume(held)
        self.connection.make_room(self, size)

    def consume(self, held: int = 0) -> None:
        """Let the client send as many bytes as were received, but for those that are still held."""
        if self.unconsumed > held:
            self.connection.engine.consume(self.id, self.unconsumed - held)
            self.unconsumed = held

    def expect_receipt(self, lost: Callable[[], None]) -> None:
        """Have `lost` called if the answer, which is sent next, does not reach the client.

        A ping follows the answer, and the client answers it after it has received the answer. The answer is
        lost if the client cancels its request before that, or if the connection ends with bytes that the
        client's kernel has not acknowledged, or is reset.
        """
        if self.is_closed:
            lost()
        else:
            self.lost = lost


class Accept(Protocol):
    """Makes the stream of a request, and begins to answer it."""

    def __call__(self, connection: StreamOwner, stream_id: int, headers: Sequence[Header]) -> Stream:
        """`headers` have the pseudo-headers too."""
