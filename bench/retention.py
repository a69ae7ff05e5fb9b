"""Ages out most events of a store while it serves: what callers notice of it, and what the disk gets back.

    python -m bench.retention [--events 1000000] [--rate 4000] [--quiet-seconds 20]

Fills an embedded store with events, all but the newest tenth of them due, and starts a server on it, with a
policy that exports nothing. One caller asks for an event by its id, one for the newest page, and
one records events, each every 10 ms, first for a while without the policy, then until all is deleted and the
free space given back. `longest` is the longest that any call took. An event loop that does nothing but sleep
runs beside, on the same machine: what that waits too long for is not the server's doing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import uvloop
from bench.events import believable
from bench.load import http_request
from bench.server import serving

from tracker.domain.events import event_id, event_time
from tracker.stores.sqlite import SqliteStore
from tracker.telemetry.metrics import Metrics
from tracker.time_text import MICROS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.server import Server

    from tracker.pb import event_pb

_PAUSE: Final = 0.01
_AT_ONCE: Final = 2_000
_KEPT: Final = 0.1
_PATH: Final = "/api/v1alpha1"
_EVENT: Final = {"title": "Deploy shop", "attributes": {"service": "shop", "type": "deployment"}}


class Latencies(NamedTuple):
    """Milliseconds that calls took, sorted."""

    took: Sequence[float]

    def shown(self) -> str:
        """Return the median, the 99th of a hundred, the 999th of a thousand, and the longest."""
        return "".join(
            f"{self.took[min(len(self.took) - 1, int(len(self.took) * share))]:9.1f}"
            for share in (0.5, 0.99, 0.999, 1)
        )


async def _fill(database: Path, number: int) -> tuple[str, int]:
    """Store events; return the id of the newest one, and how many seconds ago the tenth that stays begins."""
    store = SqliteStore(database, Metrics(max_services=0))
    await store.open()
    events: list[event_pb.Event] = []
    last, kept = "", 0
    for place, event in enumerate(believable(number), 1):
        events.append(event)
        kept = event_time(event) if place <= number * (1 - _KEPT) else kept
        if len(events) == _AT_ONCE or place == number:
            await store.events.add(events)
            last, events = event_id(event), []
    while await _unindexed(store):  # noqa: ASYNC110 - nothing reports it
        await asyncio.sleep(1)
    await store.close()
    return last, round(time.time() - kept / MICROS) - 1


async def _unindexed(store: SqliteStore) -> bool:
    sql = "SELECT (SELECT max(number) FROM events) > up_to FROM words_indexed"
    return bool(await store._reader.read(lambda db: db.execute(sql).get))  # noqa: SLF001 - there is no other way to know


async def _repeat(server: Server, request: object, took: dict[str, list[float]], name: str) -> None:
    connection = await server.rest()
    try:
        while True:
            began = time.perf_counter()
            await connection.send(request)
            took.setdefault(name, []).append((time.perf_counter() - began) * 1e3)
            await asyncio.sleep(_PAUSE)
    finally:
        await connection.close()


async def _idle(took: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_PAUSE)
        took.append((time.perf_counter() - began - _PAUSE) * 1e3)


async def _watched(server: Server, newest: str, until: asyncio.Task[None]) -> None:
    took: dict[str, list[float]] = {}
    idle: list[float] = []
    requests = {
        "get": http_request("GET", f"{_PATH}/event/{newest}"),
        "newest page": http_request("GET", f"{_PATH}/events/list?perPage=100"),
        "create": http_request("POST", f"{_PATH}/event", json.dumps(_EVENT).encode()),
    }
    callers = [asyncio.ensure_future(_repeat(server, each, took, name)) for name, each in requests.items()]
    callers.append(asyncio.ensure_future(_idle(idle)))
    await until
    for caller in callers:
        caller.cancel()
    for result in await asyncio.gather(*callers, return_exceptions=True):
        if not isinstance(result, asyncio.CancelledError):
            raise SystemExit(f"a call failed: {result}")
    for name, each in (*took.items(), ("idle loop", idle)):
        print(f"    {name:16}{len(each):9,}{Latencies(sorted(each)).shown()}", flush=True)


def _ask(
    server: Server, path: str, body: object | None = None, *, verb: str | None = None
) -> dict[str, object]:
    data = None if body is None else json.dumps(body).encode()
    url = f"http://127.0.0.1:{server.http_port}{_PATH}{path}"
    with urllib.request.urlopen(urllib.request.Request(url, data, method=verb), timeout=60) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def _size(database: Path) -> float:
    return sum(Path(f"{database}{end}").stat().st_size for end in ("", "-wal")) / 2**20


async def _aged_out(server: Server, database: Path) -> None:
    """Wait until nothing is due and the file has stopped to shrink."""
    size, since = _size(database), time.monotonic()
    while True:
        await asyncio.sleep(5)
        policies = await asyncio.to_thread(_ask, server, "/retention/policies")
        done = "lastRun" in json.dumps(policies) and all(each["lastRun"] for each in policies["policies"])  # type: ignore[attr-defined]
        now = _size(database)
        if not done or now < size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > 15:
            return


async def _measure(server: Server, database: Path, newest: str, age: int, quiet: float) -> None:
    print(f"    {'':16}{'calls':>9}{'p50':>9}{'p99':>9}{'p99.9':>9}{'longest':>9}  ms")
    print(f"without a policy, {quiet:g} s")
    await _watched(server, newest, asyncio.ensure_future(asyncio.sleep(quiet)))
    before, memory = _size(database), server.memory()
    policy = {"name": "old", "keepFor": f"{age}s", "active": True}
    due = _ask(server, "/retention/preview", {"keepFor": policy["keepFor"]})["due"]
    _ask(server, "/retention/policies", policy)
    print(f"while {due:,} events age out")
    began = time.monotonic()
    await _watched(server, newest, asyncio.ensure_future(_aged_out(server, database)))
    seconds, left = (
        time.monotonic() - began,
        _ask(server, "/retention/preview", {"keepFor": policy["keepFor"]}),
    )
    print(f"in {seconds:,.0f} s, {left['due']} left")
    print(f"file and log {before:,.0f} MiB before, {_size(database):,.0f} MiB after")
    print(f"memory of the server {memory:,.0f} MiB before, {server.memory():,.0f} MiB after")


def main() -> None:
    """Fill, measure without and with the policy, and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=4_000, help="events deleted a second at most")
    parser.add_argument("--quiet-seconds", type=float, default=20.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "tracker.db"
        newest, age = uvloop.run(_fill(database, given.events))
        settings = {
            "RETENTION_EVERY": "1s",
            "RETENTION_RATE": str(given.rate),
            "LOG_LEVEL": "error",
            "AUTH_ANONYMOUS_PERMISSIONS": "all,retention:manage",
        }
        with serving(database, **settings) as server:
            uvloop.run(_measure(server, database, newest, age, given.quiet_seconds))


if __name__ == "__main__":
    main()
