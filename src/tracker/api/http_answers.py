"""Writing answers to connections."""

from __future__ import annotations

import array
import asyncio
import fcntl
import termios
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

EXPECT_RECEIPT: Final = "tracker.expect_receipt"
"""The ASGI extension whose function `of` takes what to call if the next answer does not reach its client."""

_RECEIPT_SECONDS = 1.0
"""How long a reset after an answer means that the client has not read it."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LARGE = 64 * 1024
"""Bytes that are sent at once: only then is it known whether the client takes more."""


class Outbox:
    """Answers of all connections, sent one after the other at the end of the event loop's turn.

    Sending to a client that sleeps wakes its processor, which takes the kernel longer than sending. Most
    clients on one machine are awake when the second answer is sent.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []

    def put(self, transport: asyncio.Transport, data: bytes) -> None:
        """Send data before the event loop waits again."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append((transport, data))

    def flush(self) -> None:
        """Send all waiting data."""
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)


class AnswerTransport(asyncio.Transport):
    """The transport of a connection's answers, which sends head and body together.

    uvicorn writes one after the other, and the event loop makes a system call for each write.
    """

    def __init__(self, transport: asyncio.Transport, outbox: Outbox, end: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._outbox = outbox
        self._end = end
        self._begun = False
        self._head = b""
        self.is_closing = transport.is_closing  # type: ignore[method-assign] # saves a call

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the head of an answer until its body follows."""
        if self._begun:
            self._outbox.put(self._transport, self._head + data if self._head else bytes(data))
            self._head = b""
            if len(data) >= _LARGE:
                self._outbox.flush()
        elif data == _CONTINUE:
            self._transport.write(data)
        else:
            self._begun = True
            self._head = bytes(data)

    def finish(self) -> None:
        """Send the head of an answer without a body, and prepare for the next answer."""
        if self._head:
            self._outbox.put(self._transport, self._head)
            self._head = b""
        self._begun = False

    def close(self) -> None:
        """End the connection after this answer."""
        self.finish()
        self._outbox.flush()
        self._end()


class Receipt:
    """Notices whether the answer that is sent next reaches its client; if not, it calls `undo`.

    HTTP has no receipts, and TCP acknowledges what has reached the client's kernel. The kernel of a client
    that closes a connection, or dies, before it has read everything resets the connection. An answer is lost
    if the connection ends before the answer is acknowledged, or is reset within a second.
    """

    def __init__(self, transport: asyncio.Transport, undo: Callable[[], None]) -> None:
        self._transport = transport
        self._undo: Callable[[], None] | None = undo
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_RECEIPT_SECONDS, self._look)

    def closed(self, *, sent_end: bool) -> None:
        """Note that the client has closed the connection, after this server's own end of it or before.

        That end counts as one unacknowledged byte.
        """
        self.settle(lost=self._unacknowledged() > sent_end)

    def settle(self, *, lost: bool) -> None:
        """Note that the answer is lost, or is not."""
        self._timer.cancel()
        undo, self._undo = self._undo, None
        if lost and undo is not None:
            undo()

    def _look(self) -> None:
        if self._unacknowledged():
            self._timer = self._loop.call_later(_RECEIPT_SECONDS, self._look)
        else:
            self.settle(lost=False)

    def _unacknowledged(self) -> int:
        """Return how many bytes the client's kernel has not acknowledged."""
        unacknowledged = array.array("i", [0])
        with suppress(OSError):  # other systems than Linux
            fcntl.ioctl(self._transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, unacknowledged)
        return unacknowledged[0] + self._transport.get_write_buffer_size()
