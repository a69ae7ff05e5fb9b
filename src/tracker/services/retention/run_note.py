"""What a run of a policy has deleted, noted in the policy while it goes on: it may be interrupted."""

from __future__ import annotations

from copy import copy
from time import monotonic
from typing import TYPE_CHECKING, Final

from tracker.domain.times import timestamp
from tracker.pb import retention_pb

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tracker.services.context import Context
    from tracker.stores.records import RecordStore

_SECONDS: Final = 30.0
"""How often a run is noted at most: each time is an entry of the audit log."""


class RunNote:
    """Notes what is deleted: at first, every so often, and at the end, whatever ends it."""

    def __init__(
        self,
        policies: RecordStore[retention_pb.RetentionPolicy],
        policy_id: str,
        context: Context,
        *,
        goes_on: bool = False,
    ) -> None:
        """Begin a run, or go on with that which the policy has."""
        self._policies = policies
        self._policy_id = policy_id
        self._context = context
        self._goes_on = goes_on
        self._began = context.now()
        self._next = monotonic() + _SECONDS if goes_on else 0.0
        self._new = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self._write()

    async def add(self, deleted: int) -> None:
        """Count events that were just deleted."""
        self._new += deleted
        if monotonic() >= self._next:
            await self._write()

    async def _write(self) -> None:
        new, self._new = self._new, 0
        if not new:
            return
        self._next, now = monotonic() + _SECONDS, self._context.now()
        goes_on, self._goes_on = self._goes_on, True

        def note(stored: retention_pb.RetentionPolicy) -> retention_pb.RetentionPolicy:
            before = stored.last_run if goes_on else None
            noted = copy(stored)
            noted.last_run = retention_pb.RetentionRun(
                started_at=timestamp(self._began) if before is None else before.started_at,
                ended_at=timestamp(now),
                deleted=new + (0 if before is None else before.deleted),
            )
            return noted

        await self._policies.modify(self._policy_id, note)
