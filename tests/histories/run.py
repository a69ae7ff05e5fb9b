"""One run: clients that want locks, servers that break, and the history of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from tests.histories.cluster import cluster
from tests.histories.contender import Contender, Contest
from tests.histories.nemesis import Nemesis

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run shall be like."""

    store: str
    """One of `cluster.STORES`."""
    acquisitions: int
    """How many there shall be at least."""
    clients: int
    keys: int
    seed: int
    mean_gap: float = 3.0
    """Seconds between one harm to a server and the next; 0 leaves the servers in peace."""
    harm_databases: bool = False
    """Whether to harm a database server too."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a run was like."""

    contest: Contest
    harm: Counter[str]
    seconds: float
    defects: Sequence[str]
    """What the servers logged of their defects."""


async def record(plan: Plan, folder: Path) -> Recording:
    """Run, with all data in a folder."""
    chance = Random(plan.seed)
    with cluster(plan.store, folder) as servers:
        contest = Contest(plan.keys)
        nemesis = Nemesis(
            servers, Random(chance.getrandbits(64)), plan.mean_gap, harm_databases=plan.harm_databases
        )

        def over() -> bool:
            harmed = nemesis.satisfied() or not plan.mean_gap
            return contest.acquired >= plan.acquisitions and harmed

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            if plan.mean_gap:
                group.create_task(nemesis.run(over))
            for number in range(plan.clients):
                contender = Contender(f"client-{number}", contest, Random(chance.getrandbits(64)))
                group.create_task(contender.run(servers.replicas, ("grpc", "rest")[number % 2], over))
        seconds = time.monotonic() - began
        lines = "".join(replica.server.log() for replica in servers.replicas).splitlines()
        defects = [line for line in lines if '"msg":"defect"' in line]
        return Recording(contest, nemesis.harm, seconds, defects)
