"""A whole server under load that is killed, or told to stop: nothing it acknowledged is lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.faults.load import load, stored, written
from tests.server_process import ServerProcess
from tests.soak import size, soaks

if TYPE_CHECKING:
    from pathlib import Path

KILLS = size(4, soak=30)


@soaks
async def test_no_acknowledged_write_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    database = tmp_path / "tracker.db"
    acknowledged: list[str] = []
    for _ in range(KILLS):
        before = len(acknowledged)
        with ServerProcess(database) as server:
            async with load(server, acknowledged):
                await written(acknowledged, before + 200)
                server.kill()
        lost = set(acknowledged) - stored(database)
        assert not lost
    assert len(acknowledged) == len(set(acknowledged)) >= KILLS * 200


async def test_a_server_told_to_stop_cuts_no_call(tmp_path: Path) -> None:
    database = tmp_path / "tracker.db"
    acknowledged: list[str] = []
    with ServerProcess(database) as server:
        async with load(server, acknowledged):
            await written(acknowledged, 500)
            code = await asyncio.to_thread(server.terminate)
        assert code == 0, server.log()
    assert stored(database) == set(acknowledged)
