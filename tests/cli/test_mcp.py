"""`tracker mcp`, by the SDK's own client and by raw messages."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Self

import pytest
from mcp import Client, StdioServerParameters
from tests.cli.commands import CLEAN, at, start
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.server_process import ServerProcess


INITIALIZE = {"capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}


class Command:
    """The command, asked by raw messages."""

    def __init__(self, *options: str, environ: Mapping[str, str], revision: str) -> None:
        self._process = start("mcp", *options, environ=environ)
        self._revision = revision

    def __enter__(self) -> Self:
        began = self.ask("initialize", {"protocolVersion": self._revision, **INITIALIZE})
        assert began["protocolVersion"] == self._revision
        return self

    def ask(self, method: str, params: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())["result"]

    def call(self, tool: str, **arguments: Any) -> tuple[bool, str]:
        """Return whether a call fails, and the first text of its result."""
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        return result["isError"], result["content"][0]["text"]

    def __exit__(self, *_: object) -> None:
        out, self.messages = self._process.communicate(timeout=PATIENCE)  # ends its standard input
        assert (out, self._process.returncode) == ("", 0)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_an_agent_of_each_era_asks_the_server(server: ServerProcess, mode: str) -> None:
    started = StdioServerParameters(
        command=sys.executable, args=["-m", "tracker", "mcp"], env=CLEAN | at(server)
    )
    async with Client(started, mode=mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert "why" in names
        assert "take_lock" not in names
        found = await client.call_tool("search_events", {"query": "type:drift"})
        assert found.structured_content == {"events": [], "total_count": 0}


def test_the_oldest_revision_is_spoken_and_changes_need_an_option(server: ServerProcess) -> None:
    lock = {"service": "cart", "environment": "production", "dry_run": False}
    with Command(environ=at(server), revision="2024-11-05") as reading:
        failed, text = reading.call("take_lock", **lock)
        assert failed
        assert "--allow-writes" in text
        assert "(LOCK_NOT_FOUND)" in reading.call("get_lock", lock_id="x")[1]
    with Command("--allow-writes", environ=at(server), revision="2024-11-05") as writing:
        assert writing.call("take_lock", **lock | {"dry_run": True})[0] is False
        assert writing.call("take_lock", **lock) == (False, "The lock is taken.")
    assert (reading.messages, writing.messages) == ("", "")
