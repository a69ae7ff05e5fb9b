"""Short runs of `python -m tests.histories`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.histories.checker import violations
from tests.histories.operations import Answer, Kind
from tests.histories.run import Plan, record
from tests.mongo_servers import mongod
from tests.soak import size, soaks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.histories.operations import Operation


def plan(store: str, acquisitions: int, mean_gap: float, seed: int = 1) -> Plan:
    return Plan(store=store, acquisitions=acquisitions, clients=16, keys=6, seed=seed, mean_gap=mean_gap)


def answers(history: list[Operation]) -> Counter[tuple[Kind, Answer]]:
    return Counter((operation.kind, operation.answer) for operation in history)


@pytest.fixture(params=["sqlite", "mongo"])
def store(request: pytest.FixtureRequest) -> str:
    if request.param == "mongo" and mongod() is None:
        pytest.skip("NOT TESTED: locks of several servers; this machine lacks mongod")
    return str(request.param)


@soaks
async def test_locks_are_right_while_servers_die_pause_and_lose_answers(store: str, tmp_path: Path) -> None:
    acquisitions = size(150, soak=10_000)
    recording = await record(plan(store, acquisitions, mean_gap=0.5), tmp_path)
    seen = answers(recording.contest.history)
    assert seen[Kind.ACQUIRE, Answer.OK] >= acquisitions
    assert all(seen[kind, Answer.OK] > 0 for kind in Kind)
    assert seen[Kind.ACQUIRE, Answer.UNKNOWN] > 0
    assert {"answers lost", "servers killed", "servers paused"} <= set(recording.harm)
    assert recording.contest.defects == []
    assert [str(violation) for violation in violations(recording.contest.history)] == []


@pytest.mark.timeout(300)
async def test_two_servers_that_share_no_store_are_found_out(tmp_path: Path) -> None:
    found: set[str] = set()
    for seed in range(1, 9):  # few holders keep a lock long enough to meet another one in a given run
        (folder := tmp_path / str(seed)).mkdir()
        recording = await record(plan("split-brain", 100, mean_gap=0, seed=seed), folder)
        found |= {violation.what.split(":")[0] for violation in violations(recording.contest.history)}
        assert "not linearizable" in found
        if found > {"not linearizable"}:
            return
    pytest.fail("no rule that needs no model was broken")
