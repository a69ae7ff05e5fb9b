"""How a connection writes its answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class AnswerTransport(asyncio.Transport):
    """The transport of a connection's answers, which sends head and body in one piece.

    uvicorn writes them one after the other, and the event loop makes a system call of each write.
    """

    def __init__(self, transport: asyncio.Transport, end: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._end = end
        self._begun = False
        self._head = b""
        self.is_closing = transport.is_closing  # type: ignore[method-assign] # nothing comes between

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep the head of an answer until there is more of it."""
        if self._begun:
            self._transport.write(self._head + data if self._head else data)
            self._head = b""
        elif data == _CONTINUE:
            self._transport.write(data)
        else:
            self._begun = True
            self._head = bytes(data)

    def finish(self) -> None:
        """Send the head of an answer that has no body, and expect another answer."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""
        self._begun = False

    def close(self) -> None:
        """End the connection after this answer."""
        self.finish()
        self._end()
