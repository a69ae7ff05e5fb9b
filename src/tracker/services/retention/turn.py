"""Work that one server at a time does."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tracker.errors import TrackerError
from tracker.services.consumers import LEASE_SECONDS
from tracker.stores.changes import ConsumerState, Position

if TYPE_CHECKING:
    from tracker.services.context import Clock
    from tracker.stores.changes import ConsumerStore


class ServerTurn:
    """The lease of a server for work, kept as consumers of changes keep theirs (`ConsumerRunner`)."""

    def __init__(self, name: str, store: ConsumerStore, server: str, clock: Clock) -> None:
        self._name = name
        self._store = store
        self._server = server
        self._clock = clock
        self._seen: tuple[ConsumerState, float] | None = None

    async def take(self) -> bool:
        """Take or confirm the lease; return False while another server has it."""
        stored = await self._store.get(self._name)
        if stored is not None and stored.server not in ("", self._server) and not self._is_over(stored):
            return False
        beats = 0 if stored is None else stored.beats
        return await self._store.put(self._name, ConsumerState(Position(""), self._server, beats + 1), stored)

    async def let_go(self) -> None:
        """Let another server do the work."""
        with suppress(TrackerError):  # then the lease ends, as after a crash
            stored = await self._store.get(self._name)
            if stored is not None and stored.server == self._server:
                await self._store.put(self._name, replace(stored, server=""), stored)

    def _is_over(self, stored: ConsumerState) -> bool:
        now = self._clock.elapsed()
        if self._seen is None or self._seen[0] != stored:
            self._seen = (stored, now)
        return now - self._seen[1] >= LEASE_SECONDS
