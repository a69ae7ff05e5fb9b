"""Consumers of changes whose servers are killed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import httpx2
from tests.patience import PATIENCE

from tracker.cli.audit.reading import verified
from tracker.pb import audit_pb

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.mongo_servers import MongoServers

EVENTS = 40


class ConsumingServer:
    """A server process with a consumer; ends with the `with` block."""

    def __init__(self, database: Path, output: Path, *mongo_uri: str) -> None:
        self._command = [sys.executable, "-m", "tests.faults.consumer", str(database), *mongo_uri]
        self._output = output

    def __enter__(self) -> Self:
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(self._command, stdout=output)
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    async def ports(self) -> tuple[str, str]:
        async with asyncio.timeout(PATIENCE):
            while not (lines := self._lines()):
                assert self._process.poll() is None
                await asyncio.sleep(0.05)
        http, metrics = lines[0].split()
        return http, metrics

    async def record(self, title: str) -> None:
        url = f"http://127.0.0.1:{(await self.ports())[0]}/api/v1alpha1/event"
        event = {"title": title, "attributes": {"type": "drift", "service": "cart"}}
        async with httpx2.AsyncClient() as http:
            (await http.post(url, json=event)).raise_for_status()

    async def lag(self) -> str | None:
        """Return what the server reports of its consumer, or None where it does not run it."""
        async with httpx2.AsyncClient() as http:
            page = (await http.get(f"http://127.0.0.1:{(await self.ports())[1]}/metrics")).text
        lines = [
            line
            for line in page.splitlines()
            if line.startswith('tracker_changes_consumer_lag{consumer="printer"}')
        ]
        return lines[0].partition(" ")[2] if lines else None

    async def audited(self) -> list[str]:
        """Return the titles of the events whose creation is in the audit log, which can be verified."""
        url = f"http://127.0.0.1:{(await self.ports())[0]}/api/v1alpha1/audit/entries?limit=1000"
        async with httpx2.AsyncClient() as http:
            answer = audit_pb.ListAuditEntriesResponse.from_json((await http.get(url)).text)
        assert verified(answer.entries, (), ()).problems == []
        created = [json.loads(each.content) for each in answer.entries if each.action == "created"]
        return [content["after"]["title"] for content in created]

    def handled(self) -> list[str]:
        """Return the titles of the events that were handled."""
        lines = [line.split() for line in self._lines()[1:]]
        assert all(principal == "anonymous" for principal, _ in lines)
        return [title for _, title in lines]

    def _lines(self) -> list[str]:
        return self._output.read_text().splitlines()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.05)


async def until_handled(servers: list[ConsumingServer], titles: set[str]) -> None:
    async def handled() -> bool:
        return titles <= {title for server in servers for title in server.handled()}

    await until(handled)


async def until_audited(server: ConsumingServer, titles: list[str]) -> None:
    """Wait until each event has its entry; none has two."""

    async def audited() -> bool:
        found = await server.audited()
        assert len(found) == len({*found})
        return sorted(found) == sorted(titles)

    await until(audited)


async def until_run(*servers: ConsumingServer) -> None:
    async def run() -> bool:
        return any([await server.lag() is not None for server in servers])

    await until(run)


async def until_done(server: ConsumingServer) -> None:
    async def done() -> bool:
        return await server.lag() == "0.0"

    await until(done)


def in_order(titles: list[str]) -> list[str]:
    return sorted(titles, key=int)


async def test_another_server_goes_on_where_a_killed_one_was(mongo: MongoServers, tmp_path: Path) -> None:
    uri = mongo.emptied_database()
    with ExitStack() as running:
        servers = [
            running.enter_context(ConsumingServer(tmp_path / "unused.db", tmp_path / str(n), uri))
            for n in range(3)
        ]
        for server in servers:
            await server.ports()
        await until_run(*servers)
        await servers[0].record("0")
        await until_handled(servers, {"0"})
        (killed,) = [server for server in servers if server.handled()]
        others = [server for server in servers if server is not killed]
        assert [await server.lag() for server in others] == [None, None]
        for number in range(1, EVENTS):
            if number == EVENTS // 2:
                killed.kill()
            await others[0].record(str(number))  # one server: it logs its changes in their order
        titles = [str(number) for number in range(EVENTS)]
        await until_handled(servers, {*titles})
        (heir,) = [server for server in others if server.handled()]
        assert killed.handled() == in_order(killed.handled())
        assert heir.handled() == in_order(heir.handled())
        assert heir.handled()[-1] == titles[-1]
        await until_done(heir)
        await until_audited(heir, titles)


async def test_a_server_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    database = tmp_path / "tracker.db"
    with ConsumingServer(database, tmp_path / "0") as killed:
        await until_run(killed)
        for number in range(EVENTS // 2):
            await killed.record(str(number))
        killed.kill()
    with ConsumingServer(database, tmp_path / "1") as heir:
        for number in range(EVENTS // 2, EVENTS):
            await heir.record(str(number))
        await until_handled([killed, heir], {str(number) for number in range(EVENTS)})
        assert killed.handled() == in_order(killed.handled())
        assert heir.handled() == in_order(heir.handled())
        await until_audited(heir, [str(number) for number in range(EVENTS)])
