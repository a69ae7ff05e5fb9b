from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest
from tests.faults.crash import Writer, lost
from tests.faults.forgetful import ForgetfulFileSystem
from tests.soak import size, soaks

if TYPE_CHECKING:
    from pathlib import Path

CUTS = size(2, soak=5)
MOST_WRITES = 2_000


async def cut_under_load(directory: Path, synchronous: str, *, seed: int, half: bool) -> list[str]:
    """Cut the power while a store is written to; return the acknowledged writes that are lost."""
    survivors = directory / f"survivors-{seed}"
    writes = random.Random(seed).randint(1, MOST_WRITES)
    with (
        ForgetfulFileSystem(directory / f"mount-{seed}") as disk,
        Writer(disk.path / "tracker.db", synchronous) as writer,
    ):
        acknowledged = await asyncio.to_thread(writer.acknowledged, writes)
        disk.cut(survivors, seed if half else None)
        writer.kill()
    return await lost(survivors / "tracker.db", acknowledged)


@soaks
@pytest.mark.parametrize("half", [False, True], ids=["all unsynced gone", "half gone"])
async def test_no_acknowledged_write_is_lost_by_a_power_cut(tmp_path: Path, *, half: bool) -> None:
    for seed in range(CUTS):
        assert await cut_under_load(tmp_path, "FULL", seed=seed, half=half) == []


async def test_writes_that_were_not_synced_are_seen_to_be_lost(tmp_path: Path) -> None:
    """Prove that the test above can fail: with synchronous=NORMAL it does."""
    for seed in range(5):
        if await cut_under_load(tmp_path, "NORMAL", seed=seed, half=False):
            return
    pytest.fail("5 power cuts lost nothing that was never synced")
