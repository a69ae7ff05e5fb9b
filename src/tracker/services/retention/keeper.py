"""Deletes in the background what is due by the active policies, on one server at a time."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import TYPE_CHECKING, Final

from tracker.errors import TrackerError
from tracker.services.retention.run_note import RunNote

if TYPE_CHECKING:
    from tracker.pb import retention_pb
    from tracker.services.clock_guard import ClockGuard
    from tracker.services.context import Context
    from tracker.services.retention.sweeper import RetentionSweeper
    from tracker.services.retention.turn import ServerTurn
    from tracker.stores.pages import Cursor
    from tracker.stores.records import RecordStore

_FIRST_SECONDS: Final = 60.0
"""How long the first round waits: a server that was just started has other work."""

_SWEEP_SECONDS: Final = 5.0
"""How long a sweep takes about: the lease is confirmed after each."""


class RetentionKeeper:
    """Runs a round every so many seconds; what a round deletes is noted in the policy."""

    def __init__(  # noqa: PLR0913 - its dependencies
        self,
        policies: RecordStore[retention_pb.RetentionPolicy],
        sweeper: RetentionSweeper,
        turn: ServerTurn,
        guard: ClockGuard,
        context: Context,
        *,
        every: float,
        rate: float,
    ) -> None:
        self._policies = policies
        self._sweeper = sweeper
        self._turn = turn
        self._guard = guard
        self._context = context
        self._every = every
        self._next = min(every, _FIRST_SECONDS)
        self._most = max(1, round(rate * _SWEEP_SECONDS))

    async def keep(self) -> None:
        """Run one round: of all policies, also if one fails.

        Raises:
            SetupError: The clock was set far ahead.
            TrackerError: Why the first policy that failed did.
        """
        await asyncio.sleep(self._next)
        self._next = self._every
        failures = []
        for policy in await self._policies.find():
            if policy.active and await self._turn.take():
                try:
                    await self._run(policy)
                except TrackerError as error:
                    failures.append(error)
                    fields = {"policy": policy.name, "error": error.message}
                    self._context.log.error("retention policy failed", **fields)  # noqa: TRY400 - its message says it
        if failures:
            raise failures[0]

    async def _run(self, policy: retention_pb.RetentionPolicy) -> None:
        deleted = skipped = 0
        after: Cursor | None = None
        try:
            async with RunNote(self._policies, policy.id, self._context) as note:
                while True:
                    self._guard.require_steady()
                    swept = await self._sweeper.sweep(policy, after, self._most, note)
                    after = swept.next
                    deleted, skipped = deleted + swept.deleted, skipped + swept.skipped
                    if after is None or not await self._turn.take() or not await self._is_current(policy):
                        break
        finally:
            if deleted:
                fields = {"policy": policy.name, "events": deleted, "skipped": skipped}
                self._context.log.info("events aged out", **fields)

    async def _is_current(self, policy: retention_pb.RetentionPolicy) -> bool:
        """Return whether a policy is still as it was when its round began, but for what it has deleted."""
        stored = await self._policies.get(policy.id)
        return stored is not None and _without_run(stored) == _without_run(policy)


def _without_run(policy: retention_pb.RetentionPolicy) -> retention_pb.RetentionPolicy:
    changed = copy(policy)
    changed.last_run = None
    return changed
