"""The HTTP/2 library: the only module that knows it, so that another one could take its place.

`ngh2` is a binding of libnghttp2, which frames, compresses headers, counts windows, and checks the protocol.
It does no input or output. Of what `Engine` inherits, other modules use `receive_data`, `events`,
`data_to_send`, `want_write`, `send_response`, `send_data`, `send_trailers` and `queued_body_size`.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import ngh2
from ngh2 import (
    ConnectionClosed,
    DataReceived,
    PingAcknowledged,
    PingReceived,
    RequestReceived,
    SettingsReceived,
    StreamClosed,
    StreamReset,
    TrailersReceived,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Header = tuple[bytes, bytes]
Event = ngh2.Event
Http2Error = ngh2.NGH2Error
"""What `Engine` raises: the stream is gone, or the connection has failed."""
NO_ERROR, CANCEL = ngh2.ErrorCode.NO_ERROR, ngh2.ErrorCode.CANCEL
unrepeated = ngh2.NeverIndexedHeader
"""Makes a header whose value differs in each answer, and is not to fill the table of those that repeat."""

WINDOW = 65_535
"""Bytes that a client may send on a new stream, by the protocol."""
_HEADER_BYTES = 256 * 1024
"""Headers of a request; larger ones end the connection."""
_GOAWAY = 7
_LAST_STREAM = 2**31 - 1
_RESETS = (10_000, 2_000)
"""Streams that a client may reset at once, and a second; more end the connection."""
_CONFIGURATION = ngh2.Configuration(
    auto_window_update=False, max_inbound_header_list_size=_HEADER_BYTES, stream_reset_rate_limit=_RESETS
)


class Receiver(Protocol):
    """What handles the frames of a client."""

    def on_request(self, stream_id: int, headers: Sequence[Header], *, complete: bool) -> None:
        """A request has begun; `headers` have the pseudo-headers too, and it is `complete` without a body."""

    def on_data(self, stream_id: int, data: bytes, *, complete: bool) -> None:
        """Some of a request's body has arrived."""

    def on_reset(self, stream_id: int) -> None:
        """The client has reset a stream, which may have been closed before."""

    def on_closed(self, stream_id: int, *, cleanly: bool) -> None:
        """Nothing more is sent or received on a stream; `cleanly` both sides have sent everything."""

    def on_settings(self) -> None:
        """The client has sent its settings."""

    def on_ping(self) -> None:
        """The client has pinged the server."""

    def on_ping_answer(self, number: int) -> None:
        """The client has answered a ping of the server."""

    def on_end(self) -> None:
        """The connection is to be closed: one side has gone away, and there are no streams any more."""


class Engine(ngh2.Connection):
    """The state of one connection of a server."""

    def __init__(self, streams: int, metadata_bytes: int, window: int) -> None:
        super().__init__(ngh2.Role.SERVER, _CONFIGURATION)
        settings = {
            ngh2.Setting.MAX_CONCURRENT_STREAMS: streams,
            ngh2.Setting.MAX_HEADER_LIST_SIZE: metadata_bytes,
        }
        self.initiate_connection(settings)
        self.set_local_window_size(window)

    def send_ping(self, number: int) -> None:
        """Ping the client."""
        with suppress(Http2Error):
            self.ping(number.to_bytes(8, "big"))

    def consume(self, stream_id: int, size: int) -> None:
        """Let the client send more bytes, in place of those that were received."""
        try:
            self.acknowledge_received_data(size, stream_id)
        except Http2Error:  # each call does this: `suppress` would take longer than the rest
            return

    def widen(self, stream_id: int, window: int) -> None:
        """Let the client send so many bytes on a stream."""
        with suppress(Http2Error):
            self.set_local_window_size(window, stream_id=stream_id)

    def reset(self, stream_id: int, code: int) -> None:
        """Close a stream."""
        with suppress(Http2Error):
            self.reset_stream(stream_id, code)

    def give_notice(self) -> None:
        """Ask the client to send no more requests; those on their way are accepted."""
        with suppress(Http2Error):
            self.send_shutdown_notice()

    def go_away(self) -> None:
        """Accept no more requests, and end the connection after the last stream."""
        with suppress(Http2Error):
            self.send_goaway()

    def refuse_service(self, why: bytes) -> None:
        """End the connection of a client that asks for too much."""
        with suppress(Http2Error):
            self.send_goaway(ngh2.ErrorCode.ENHANCE_YOUR_CALM, debug_data=why)


def farewell(error: Http2Error) -> bytes:
    """Return the last frame to a client whose frames made an engine fail."""
    if not isinstance(error, ngh2.DenialOfServiceError):
        return b""
    why = str(error).encode()
    goaway = (0, 8 + len(why), _GOAWAY, 0, 0, _LAST_STREAM, ngh2.ErrorCode.ENHANCE_YOUR_CALM)
    return struct.pack(">BHBBIII", *goaway) + why


def deliver(events: Iterable[Event], receiver: Receiver) -> None:
    """Let a receiver handle what has happened on its connection."""
    for event in events:
        if isinstance(event, RequestReceived):
            receiver.on_request(event.stream_id, event.headers, complete=event.end_stream)
        elif isinstance(event, DataReceived):
            receiver.on_data(event.stream_id, event.data, complete=event.end_stream)
        elif isinstance(event, StreamClosed):
            receiver.on_closed(event.stream_id, cleanly=event.error_code == NO_ERROR)
        elif isinstance(event, TrailersReceived):
            receiver.on_data(event.stream_id, b"", complete=True)
        elif isinstance(event, StreamReset):
            receiver.on_reset(event.stream_id)
        elif (handle := _RARE.get(type(event))) is not None:
            handle(receiver, event)


_RARE: Mapping[type[Event], Callable[[Receiver, Any], None]] = {
    PingAcknowledged: lambda receiver, event: receiver.on_ping_answer(int.from_bytes(event.opaque_data)),
    PingReceived: lambda receiver, _: receiver.on_ping(),
    SettingsReceived: lambda receiver, _: receiver.on_settings(),
    ConnectionClosed: lambda receiver, _: receiver.on_end(),
}
