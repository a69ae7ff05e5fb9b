"""Clients that want locks: mostly brief and well-behaved, sometimes too slow, sometimes gone."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.histories.caller import Caller, Claim
from tests.histories.operations import Answer, now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from tests.clients import Client
    from tests.histories.caller import Holding
    from tests.histories.cluster import Replica
    from tests.histories.operations import Operation

_TRIES = 8
"""How often a call without an answer is repeated before the client gives up."""
_PAUSE = 0.1
"""Seconds between two tries, and after a refusal, at most."""


@dataclass
class Contest:
    """What all clients of one run share."""

    keys: int
    history: list[Operation] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    """What servers said that failed in a way they do not know."""
    acquired: int = 0
    late: int = 0
    """How many holders kept a lock beyond its lease and released it then."""
    vanished: int = 0
    """How many holders never released it."""


class Contender:
    """One client, which calls one server after another."""

    def __init__(self, name: str, contest: Contest, chance: Random) -> None:
        self._name = name
        self._contest = contest
        self._chance = chance
        self._caller = Caller(name, contest.history, contest.defects)
        self._numbers = itertools.count()
        self._clients: list[Client] = []

    async def run(self, replicas: Sequence[Replica], wire: str, over: Callable[[], bool]) -> None:
        """Take and release locks until all is over."""
        async with AsyncExitStack() as stack:
            self._clients = [await replica.connect(wire, stack) for replica in replicas]
            while not over():
                await self._turn()

    async def _turn(self) -> None:
        holding = await self._acquire()
        if holding is None:
            await self._sleep(_PAUSE)
            return
        self._contest.acquired += 1
        fate = self._chance.random()
        if fate < 0.001:
            self._contest.vanished += 1
            return
        if fate < 0.005:
            self._contest.late += 1
            await asyncio.sleep(holding.claim.ttl + self._chance.random())
        elif fate < 0.2:
            holding = await self._work(holding)
        await self._release(holding)
        if fate > 0.9:
            await self._caller.check(self._client(), holding)

    async def _acquire(self) -> Holding | None:
        claim = Claim(
            name=f"{self._name}/{next(self._numbers)}",
            key=f"service-{self._chance.randrange(self._contest.keys)}",
            lock_token=f"{self._chance.getrandbits(128):032x}",
            ttl=self._chance.choice([1.0, 1.5, 3.0]),
        )
        wait = self._chance.choice([0.0, 0.3, 1.0, 3.0])
        for _ in range(_TRIES):
            answer, holding = await self._caller.acquire(self._client(), claim, wait)
            if answer is not Answer.UNKNOWN:
                return holding
            await self._sleep(_PAUSE)
        return None

    async def _work(self, holding: Holding) -> Holding:
        """Keep the lock for a while, renewed as it should be."""
        for _ in range(self._chance.randrange(1, 4)):
            await self._sleep(0.02)
            await self._caller.check(self._client(), holding)
            answer, holding = await self._caller.renew(self._client(), holding)
            if answer is Answer.REFUSED or now() >= holding.until:
                break
        return holding

    async def _release(self, holding: Holding) -> None:
        for _ in range(_TRIES):
            if await self._caller.release(self._client(), holding) is not Answer.UNKNOWN:
                return
            await self._sleep(_PAUSE)

    def _client(self) -> Client:
        return self._chance.choice(self._clients)

    async def _sleep(self, most: float) -> None:
        await asyncio.sleep(self._chance.random() * most)
