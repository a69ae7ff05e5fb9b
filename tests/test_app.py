from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import structlog
from tests.clients import http_client

from tracker.app import App
from tracker.stores.sqlite import SqliteStore

if TYPE_CHECKING:
    import pytest

    from tracker.config.settings import Settings


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
        assert {"leases", "event_feed", "word_index"} <= running()
    assert not {"leases", "event_feed"} & at_close
    assert "word_index" in at_close
    assert not running() & {"leases", "event_feed", "word_index"}


async def test_beside_metrics_and_probes_nothing_is_served_on_their_port(settings: Settings) -> None:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log) as app, http_client(app.metrics_address) as http:
        answers = [await http.get(path) for path in ("/metrics", "/", "/docs", "/readyz", "/metrics")]
        assert [answer.status_code for answer in answers] == [200, 404, 404, 200, 200]
    assert 'tracker_rpc_seconds_count{code="OK",method="/metrics",wire="http"} 1.0' in answers[-1].text
    assert "tracker_inflight 0.0" in answers[-1].text


def test_a_server_starts_without_what_only_some_requests_need() -> None:
    script = "import sys, tracker.app, tracker.cli.server, tracker.telemetry.logs; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "structlog" in loaded
    assert not loaded & {"apprise", "fast_sugiyama", "grpc", "icalendar", "mcp", "pymongo", "yaml"}
