"""Alertmanager itself, from Debian's package: it groups alerts, and sends what it has sent before again."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from tests.clients import RestClient
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

PROGRAM = "prometheus-alertmanager"
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        shutil.which(PROGRAM) is None, reason="ALERTMANAGER IS MISSING: what it sends is not tried"
    ),
]


@asynccontextmanager
async def alertmanager(folder: Path, webhook: str) -> AsyncIterator[httpx2.AsyncClient]:
    """Run one that sends all alerts of a name together, each second; give a client for it."""
    route = {
        "receiver": "tracker",
        "group_by": ["alertname"],
        "group_wait": "0s",
        "group_interval": "1s",
        "repeat_interval": "1s",
    }
    receiver = {"name": "tracker", "webhook_configs": [{"url": webhook}]}
    (folder / "alertmanager.yml").write_text(json.dumps({"route": route, "receivers": [receiver]}))
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder}",
        "--web.listen-address=127.0.0.1:0",
        "--cluster.listen-address=",
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            found = None
            while found is None:
                found = re.search(rb"Listening on.*address=([0-9.:]+)", await process.stderr.readline())
        async with httpx2.AsyncClient(base_url=f"http://{found[1].decode()}") as client:
            yield client
    finally:
        process.kill()
        await process.communicate()


async def until(is_so: Callable[[list[Any]], object], http: httpx2.AsyncClient) -> list[Any]:
    """Wait until something is so of all events, and return them by their titles."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found: list[Any] = (await http.get("/api/v1alpha1/events/list")).json()["events"]
            if is_so(found):
                return sorted(found, key=lambda each: str(each["title"]))
            await asyncio.sleep(0.05)  # between two polls


async def test_its_groups_open_incidents_once_and_close_each_of_them(
    url: str, http: httpx2.AsyncClient, tmp_path: Path
) -> None:
    def alert(instance: str, **more: str) -> dict[str, Any]:
        labels = {"alertname": "Slow", "service": "cart", "env": "prod", "severity": "critical"}
        summary = {"summary": f"{instance} is slow"}
        return {"labels": labels | {"instance": instance}, "annotations": summary, **more}

    def statuses(events: list[Any]) -> list[str]:
        return sorted(each["attributes"]["status"] for each in events)

    async def received(least: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                intakes = (await RestClient(http).call("IntakeService/ListIntakes"))["intakes"]
                if intakes and int(intakes[0]["recorded"]) >= least:
                    return
                await asyncio.sleep(0.05)  # between two polls

    webhook = f"{url}/api/v1alpha1/integrations/alertmanager/webhook"
    async with alertmanager(tmp_path, webhook) as sender:
        (await sender.post("/api/v2/alerts", json=[alert("a"), alert("b")])).raise_for_status()
        await received(2)  # the second time, the group is sent as it was
        first, second = await until(lambda found: len(found) > 1, http)
        assert (first["title"], second["title"]) == ("a is slow", "b is slow")
        wanted = {"service": "cart", "environment": "production", "priority": "P1", "status": "open"}
        assert wanted.items() <= first["attributes"].items()
        ended = alert("a", startsAt=first["attributes"]["startDate"], endsAt=first["attributes"]["startDate"])
        (await sender.post("/api/v2/alerts", json=[ended])).raise_for_status()
        first, second = await until(lambda found: statuses(found) == ["close", "open"], http)
        assert first["attributes"]["status"] == "close"
