"""Removals of administrators by two servers that are interrupted, or die, between any two of their steps."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

import pytest
from tests.patience import PATIENCE
from tests.stores.samples import a_user

from tracker.domain.people import ADMINISTRATORS, is_administrator
from tracker.errors import Reason, TrackerError
from tracker.services.access.administrators import Administrators
from tracker.services.access.directory import Directory
from tracker.stores.access import StoredAccess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.services.context import Context
    from tracker.stores.access import AccessStore
    from tracker.stores.base import Store

STEPS = 7


class SteppedStore:
    """A store of access control that takes each step when it is told to."""

    poll_seconds: float | None = None

    def __init__(self, store: AccessStore) -> None:
        self._store = store
        self._turns: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def modify(self, *arguments: Any, **options: Any) -> StoredAccess:
        await self._turn()
        return await self._store.modify(*arguments, **options)

    async def find(self, since: int = 0) -> Sequence[StoredAccess]:
        await self._turn()
        return await self._store.find(since)

    async def _turn(self) -> None:
        turn = asyncio.Event()
        self._turns.put_nowait(turn)
        await turn.wait()

    async def take(self, steps: int, task: asyncio.Task[bool]) -> None:
        """Let a task take so many steps, or end."""
        for _ in range(steps):
            waiting = asyncio.ensure_future(self._turns.get())
            await asyncio.wait((waiting, task), return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                return
            waiting.result().set()


async def demote(administrators: Administrators, user_id: str) -> bool:
    """Remove a user from the administrators; return whether it was one of several."""

    def change(there: StoredAccess | None) -> StoredAccess:
        assert there is not None
        record = copy.deepcopy(there.record)
        assert record.user is not None
        record.user.team_ids = []
        return StoredAccess(record, there.secret_hash)

    try:
        await administrators.modify(user_id, change)
    except TrackerError as error:
        assert error.reason is Reason.LAST_ADMINISTRATOR  # noqa: PT017 - else it is none
        return False
    return True


async def left(store: Store) -> int:
    records = await store.access.find()
    return sum(is_administrator(each.record.user) for each in records)


@pytest.mark.parametrize("first", range(STEPS + 1))
async def test_an_administrator_is_left_whichever_server_stops_when(
    store: Store, context: Context, first: int
) -> None:
    for second in range(STEPS + 1):
        for user_id in ("1", "2"):
            user = a_user(f"user-{user_id}", user_id)
            assert user.record.user is not None
            user.record.user.team_ids = [ADMINISTRATORS]
            await store.access.modify(f"user:{user_id}", lambda _, user=user: user)  # type: ignore[misc]  # bound
        servers = [SteppedStore(store.access) for _ in range(2)]
        tasks = [
            asyncio.create_task(demote(Administrators(Directory(server, context)), user_id))
            for server, user_id in zip(servers, ("1", "2"), strict=True)
        ]
        async with asyncio.timeout(PATIENCE):
            await servers[0].take(first, tasks[0])
            await servers[1].take(second, tasks[1])
            await servers[0].take(1000, tasks[0])
            assert await left(store) >= 1
            await servers[1].take(1000, tasks[1])
            made = [await task for task in tasks]
        assert (await left(store), sorted(made)) == (1, [False, True])
