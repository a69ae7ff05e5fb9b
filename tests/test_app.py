from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from tracker.app import App
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    import pytest

    from tracker.config import Settings


def running() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks()}


async def test_a_server_that_stops_closes_nothing_that_a_background_task_still_uses(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_close: set[str] = set()

    async def close_noting_tasks(store: SqliteStore) -> None:
        at_close.update(running())
        await close(store)

    close = SqliteStore.close
    monkeypatch.setattr(SqliteStore, "close", close_noting_tasks)
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log):
        assert {"leases", "word_index"} <= running()
    assert "leases" not in at_close
    assert "word_index" in at_close
    assert not running() & {"leases", "word_index"}
