from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from tests.faults.crash import Writer, lost
from tests.soak import size, soaks

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = size(6, soak=30)


@soaks
async def test_no_acknowledged_write_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    database = tmp_path / "tracker.db"
    moments = random.Random(20250617)
    written = 0
    for _ in range(ROUNDS):
        with Writer(database) as writer:
            await asyncio.to_thread(writer.acknowledged, moments.randint(1, 400))
            acknowledged = writer.kill()
        assert await lost(database, acknowledged) == []
        written += len(acknowledged)
    assert written > ROUNDS
