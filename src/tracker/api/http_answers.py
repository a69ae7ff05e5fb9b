"""Writing answers to connections."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tracker.api.wires import unacknowledged

if TYPE_CHECKING:
    from collections.abc import Callable

_RECEIPT_SECONDS = 1.0
"""How long a reset after an answer means that the client has not read it."""

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
        """Send data before the event loop waits again; much of it at once."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append((transport, data))
        if len(data) >= _LARGE:
            self.flush()

    def flush(self) -> None:
        """Send all waiting data."""
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)


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
        self.settle(lost=unacknowledged(self._transport) > sent_end)

    def settle(self, *, lost: bool) -> None:
        """Note that the answer is lost, or is not."""
        self._timer.cancel()
        undo, self._undo = self._undo, None
        if lost and undo is not None:
            undo()

    def _look(self) -> None:
        if unacknowledged(self._transport):
            self._timer = self._loop.call_later(_RECEIPT_SECONDS, self._look)
        else:
            self.settle(lost=False)
