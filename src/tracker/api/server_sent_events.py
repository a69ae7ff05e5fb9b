"""Streams over HTTP: server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from protobuf import Message

HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep the stream until it has a few KiB of it
]
"""Headers of every stream."""

BEGINNING = b"retry: 1000\n\n"
"""What a stream begins with: how many milliseconds a client waits before it comes back."""


def server_sent_event(message: Message, encode: Callable[[Message], bytes]) -> bytes:
    """Return a message of a stream as an event; its id is the `resume_token`.

    A message that has nothing else becomes a comment with an id, which clients note and pass over.
    """
    token: str = cast("Any", message).resume_token
    if message == type(message)(resume_token=token):
        return b": nothing to tell\nid: %s\n\n" % token.encode()
    return b"id: %s\ndata: %s\n\n" % (token.encode(), encode(message))


def resumed(message: Message, last_event_id: str) -> Message:
    """Return a request that goes on behind the event that its client heard last."""
    if last_event_id:
        cast("Any", message).resume_token = last_event_id
    return message
