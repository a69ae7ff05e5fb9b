"""What goes wrong while clients want locks: servers die, stop for a while, and answers get lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from random import Random

    from tests.histories.cluster import Cluster, Replica
    from tests.mongo_servers import MongoServer
    from tests.server_process import ServerProcess

    Harm = Callable[[], Awaitable[None]]


class Nemesis:
    """Does one harm after another to each part of a cluster, and makes up for each."""

    def __init__(
        self, cluster: Cluster, chance: Random, mean_gap: float, *, harm_databases: bool = False
    ) -> None:
        self._chance = chance
        self._mean_gap = mean_gap
        self._victims = [
            *(self._harms_of_replica(replica) for replica in cluster.replicas),
            *(self._harms_of_database(database) for database in cluster.databases if harm_databases),
        ]
        self._unharmed = len(self._victims)
        self.harm: Counter[str] = Counter()
        """How often each was done."""

    def satisfied(self) -> bool:
        """Tell whether everything has been done to every part at least once."""
        return self._unharmed == 0

    async def run(self, over: Callable[[], bool]) -> None:
        """Do harm until all is over; in the end, all is whole again."""
        async with asyncio.TaskGroup() as group:
            for harms in self._victims:
                group.create_task(self._plague(harms, over))

    async def _plague(self, harms: Sequence[Harm], over: Callable[[], bool]) -> None:
        done = 0
        while not over():
            for harm in self._chance.sample(harms, len(harms)):
                await asyncio.sleep(self._chance.uniform(0.2, 1.8) * self._mean_gap)
                if over():
                    return
                await harm()
                done += 1
            self._unharmed -= done == len(harms)

    def _harms_of_replica(self, replica: Replica) -> Sequence[Harm]:
        async def lose_answers() -> None:
            for _ in range(self._chance.randrange(1, 30)):
                replica.lose_answers()
                self.harm["answers lost"] += 1
                await asyncio.sleep(self._chance.uniform(0.0, 0.05))

        return [
            self._kill(replica.server, replica.start, "servers"),
            self._pause(replica.server, "servers"),
            lose_answers,
        ]

    def _harms_of_database(self, database: MongoServer) -> Sequence[Harm]:
        return [self._kill(database, database.start, "databases"), self._pause(database, "databases")]

    def _kill(self, victim: ServerProcess | MongoServer, start: Callable[[], None], name: str) -> Harm:
        async def kill() -> None:
            victim.kill()
            self.harm[f"{name} killed"] += 1
            await asyncio.sleep(self._chance.uniform(0.0, 0.5))
            await asyncio.to_thread(start)

        return kill

    def _pause(self, victim: ServerProcess | MongoServer, name: str) -> Harm:
        async def pause() -> None:
            victim.pause()
            self.harm[f"{name} paused"] += 1
            longest = self._chance.choice([0.5, 0.5, 4.0])
            await asyncio.sleep(self._chance.uniform(0.05, longest))
            victim.resume()

        return pause
