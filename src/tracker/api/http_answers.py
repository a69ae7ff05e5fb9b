"""How a connection writes its answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Outbox:
    """Answers of all connections, which go out one right after the other at the end of the loop's turn.

    Sending to a client that sleeps wakes its processor, which takes the kernel longer than sending. Of
    clients on one machine, most are awake by the time that the second answer goes out.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []

    def put(self, transport: asyncio.Transport, data: bytes) -> None:
        """Send what a connection has to say before the event loop waits for anything again."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append((transport, data))

    def flush(self) -> None:
        """Send what waits, before anything else happens to a connection."""
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)


class AnswerTransport(asyncio.Transport):
    """The transport of a connection's answers, which sends head and body in one piece.

    uvicorn writes them one after the other, and the event loop makes a system call of each write.
    """

    def __init__(self, transport: asyncio.Transport, outbox: Outbox, end: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._outbox = outbox
        self._end = end
        self._begun = False
        self._head = b""
        self.is_closing = transport.is_closing  # type: ignore[method-assign] # nothing comes between

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the head of an answer until there is more of it."""
        if self._begun:
            self._outbox.put(self._transport, self._head + data if self._head else bytes(data))
            self._head = b""
        elif data == _CONTINUE:
            self._transport.write(data)
        else:
            self._begun = True
            self._head = bytes(data)

    def finish(self) -> None:
        """Send the head of an answer that has no body, and expect another answer."""
        if self._head:
            self._outbox.put(self._transport, self._head)
            self._head = b""
        self._begun = False

    def close(self) -> None:
        """End the connection after this answer."""
        self.finish()
        self._outbox.flush()
        self._end()
