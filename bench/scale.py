"""What a server holds, and what three on one MongoDB hold: bytes an event, and calls a second, in small.

    python -m bench.scale [--events 30000] [--seconds 3]

Fills a file and a `mongod` of the development environment with the events of `tracker demo`. Then one server
on the file, and one and three on the database, are loaded over REST from this process, on the loopback
interface only: creates by 32 connections, and searches for the newest 20 events of a service by 8. At last it
prints, of the queries of `tracker support-bundle`, which index of MongoDB each takes, and how many keys and
documents it looks at for each event that it returns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.load import http_request, run
from bench.server import serving
from pymongo import MongoClient
from tests.mongo_servers import MongoServers

if TYPE_CHECKING:
    from bench.load import RestConnection
    from bench.server import Server

_CREATORS, _SEARCHERS = 32, 8
_CREATE = http_request(
    "POST",
    "/api/v1alpha1/event",
    json.dumps(
        {"title": "Deploy", "attributes": {"service": "scale", "type": "deployment", "status": "success"}}
    ).encode(),
)
_SEARCH = http_request("GET", "/api/v1alpha1/events/search?query=service:scale&perPage=20")
_QUERIES: dict[str, tuple[dict[str, Any], str]] = {
    "the newest 20": ({}, "time"),
    "of a service, newest 20": ({"service": "checkout"}, "time"),
    "of an owner": ({"terms": {"$regex": "^owner"}}, "time"),
    "by id": ({"_id": "first"}, "_id"),
}


def _fill(place: str, events: int) -> None:
    command = [sys.executable, "-m", "tracker", "demo", place, "--events", str(events)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def _loaded(servers: list[Server], request: bytes, connections: int, seconds: float) -> str:
    """Return the rate and the latencies of a request, spread over servers."""
    turn = 0

    async def opened() -> RestConnection:
        nonlocal turn
        turn += 1
        return await servers[turn % len(servers)].rest()

    async def script(connection: RestConnection) -> None:
        await connection.send(request)

    result = await run(opened, script, connections=connections, seconds=seconds)
    return f"{result.rate:>7,.0f}/s  p50 {1_000 * result.p50:>6.1f} ms  p99 {1_000 * result.p99:>6.1f} ms"


def _measure(name: str, servers: list[Server], seconds: float) -> None:
    for what, request, connections in (
        ("create", _CREATE, _CREATORS),
        ("search", _SEARCH, _SEARCHERS),
    ):
        print(f"{name:26} {what}  {asyncio.run(_loaded(servers, request, connections, seconds))}", flush=True)
    memory = ", ".join(f"{server.memory():.0f}" for server in servers)
    print(f"{name:26} memory  {memory} MiB", flush=True)


def _explained(uri: str) -> None:
    with MongoClient[dict[str, Any]](uri) as client:
        events = client.get_default_database()["events"]
        first = events.find_one()
        for name, (where, order) in _QUERIES.items():
            asked = {"_id": first["_id"]} if first and where.get("_id") else where
            found = events.find(asked).sort([(order, -1)]).limit(20).explain()["executionStats"]
            plan = json.dumps(found)
            index = plan.partition('"indexName": "')[2].partition('"')[0] or "none"
            keys, documents, returned = (
                found[each] for each in ("totalKeysExamined", "totalDocsExamined", "nReturned")
            )
            print(f"{name:26} index {index}, {keys} keys and {documents} documents for {returned}")


def main() -> None:
    """Fill, load, and explain."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--events", type=int, default=30_000)
    arguments.add_argument("--seconds", type=float, default=3.0)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        file = Path(folder, "tracker.db")
        _fill(str(file), given.events)
        print(f"{'a file':26} {file.stat().st_size / given.events:,.0f} bytes an event", flush=True)
        with serving(file) as server:
            _measure("one server on a file", [server], given.seconds)
        mongo = opened.enter_context(MongoServers(Path(folder)))
        uri = mongo.new_database()
        _fill(uri, given.events)
        with MongoClient[dict[str, Any]](uri) as client:
            sizes = client.get_default_database().command("collStats", "events")
        each = [sizes[name] / given.events for name in ("storageSize", "totalIndexSize")]
        print(f"{'MongoDB':26} {each[0]:,.0f} bytes an event, and {each[1]:,.0f} of indexes", flush=True)
        for number in (1, 3):
            with ExitStack() as running:
                servers = [
                    running.enter_context(serving(Path(folder, f"none-{each}"), MONGO_URI=uri))
                    for each in range(number)
                ]
                _measure(f"{number} on MongoDB", servers, given.seconds)
        _explained(uri)


if __name__ == "__main__":
    main()
