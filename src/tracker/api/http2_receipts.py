"""Whether answers have reached their client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.api.wires import unacknowledged

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tracker.api.http2_engine import Engine


_UNANSWERED = 1_000
"""Pings that a client may leave unanswered; it may make no more calls then."""


class Receipts:
    """What waits on one connection until its client has received all that was sent, and answered a ping.

    Answers can get lost until then: if the client cancels its request, or resets the connection, or ends it
    without having received everything.
    """

    def __init__(self, engine: Engine, transport: asyncio.Transport) -> None:
        self._engine = engine
        self._transport = transport
        self._last = 0
        self._awaited: dict[int, list[Callable[[], object]]] = {}
        self._unconfirmed: dict[int, Callable[[], None]] = {}
        self.due: list[Callable[[], object]] = []
        """What waits for the answer to the next ping."""

    def after_ping(self, confirm: Callable[[], object]) -> None:
        """Have `confirm` called when the client has received all that was sent so far."""
        self.due.append(confirm)

    def expect(self, stream_id: int, lost: Callable[[], None]) -> None:
        """Have `lost` called if the answer to a request, which was just sent, does not reach the client."""
        self._unconfirmed[stream_id] = lost
        self.after_ping(lambda: self._unconfirmed.pop(stream_id, None))

    def ping(self) -> None:
        """Ping the client."""
        self._last += 1
        self._awaited[self._last], self.due = self.due, []
        self._engine.send_ping(self._last)
        if len(self._awaited) == _UNANSWERED:
            self._engine.refuse_service(b"pings are not answered")

    def answered(self, number: int) -> None:
        """Note the answer to a ping."""
        for confirm in self._awaited.pop(number, ()):
            confirm()

    def lose(self, stream_id: int) -> None:
        """Note that the client has cancelled a request before it knew the answer."""
        if lost := self._unconfirmed.pop(stream_id, None):
            lost()

    def settle(self, *, lost: bool | None = None) -> None:
        """Note that the connection ends; unless given, the client's kernel knows whether answers are lost."""
        if not self._unconfirmed:
            return
        unconfirmed, self._unconfirmed = self._unconfirmed, {}
        if unacknowledged(self._transport) > 0 if lost is None else lost:
            for report in unconfirmed.values():
                report()
