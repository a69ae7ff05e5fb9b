"""How long answers take: why an incident happened, what runs where, and how well software is delivered.

    python -m bench.answers [--events 1000000] [--times 300] [--database FILE]

Fills a store with sample events, or takes one that `tracker demo` has filled, starts a server on
it, and asks for the causes of incidents of all its past, one after the other, over REST on the
loopback interface. Then it asks which versions run, of all services and of single catalog entries, and for
the delivery metrics of a year, by each method. Times are in milliseconds; `CPU` is what the server uses
for one answer, `MiB` what it has resident after it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from bench.load import http_request
from bench.server import serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load import RestConnection
    from bench.server import Server

_YEAR: Final = timedelta(days=365)
_ASKED: Final = 5_000
"""Incidents, the newest, of which some are asked for."""


async def incidents(connection: RestConnection) -> Sequence[str]:
    """Return the ids of incidents."""
    query = urlencode({"query": "type:incident", "per_page": _ASKED})
    found = json.loads(await connection.send(http_request("GET", f"/api/v1alpha1/events/search?{query}")))
    return [event["metadata"]["id"] for event in found["events"]]


async def measure(server: Server, times: int) -> None:
    """Ask, and print how long that took."""
    connection = await server.rest()
    known = await incidents(connection)
    chosen = random.Random(1).sample(known, min(times, len(known)))
    took: list[float] = []
    changes = 0
    before = server.cpu()
    for each in chosen:
        request = http_request("GET", f"/api/v1alpha1/event/{each}/causes")
        begun = time.perf_counter()
        answer = await connection.send(request)
        took.append((time.perf_counter() - begun) * 1e3)
        changes += json.loads(answer)["changeCount"]
    cpu = (server.cpu() - before) / len(chosen) * 1e3
    took.sort()
    ranks = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    figures = {name: took[min(len(took) - 1, int(rank * len(took)))] for name, rank in ranks.items()}
    print(f"{len(chosen)} incidents, {changes / len(chosen):.0f} changes compared for each")
    print("".join(f"{name:>10}" for name in (*figures, "slowest", "CPU")))
    print("".join(f"{value:10.1f}" for value in (*figures.values(), took[-1], cpu)))


async def measure_versions(server: Server, times: int) -> None:
    """Ask for what runs where, and for catalog entries, and print how long that took."""
    connection = await server.rest()

    async def asked(path: str) -> dict[str, Any]:
        answer = await connection.send(http_request("GET", f"/api/v1alpha1/{path}"))
        return dict[str, Any](json.loads(answer))

    entries = [each["name"] for each in (await asked("catalogs/list"))["catalogs"]]
    versions = await asked("versions?limit=50")
    services = {each["service"] for each in versions["versions"]}
    print(f"{'what runs where':20}{'answers':>12}{'ms':>10}{'CPU':>10}")
    for name, paths in (
        (f"{len(services)} services", ["versions?limit=50"] * 5),
        ("a catalog entry", [f"catalog?{urlencode({'name': each})}" for each in entries[:times]]),
    ):
        before, begun = server.cpu(), time.perf_counter()
        for path in paths:
            await asked(path)
        took, cpu = (time.perf_counter() - begun) * 1e3, (server.cpu() - before) * 1e3
        print(f"{name:20}{len(paths):>12,}{took / len(paths):10.1f}{cpu / len(paths):10.1f}")


async def measure_delivery(server: Server) -> None:
    """Ask for the metrics of a year by each method, and print how long that took."""
    connection = await server.rest()
    print(f"{'delivery of a year':20}{'deployments':>12}{'ms':>10}{'CPU':>10}{'MiB':>10}")
    for method in ("four_keys", "devlake", "datadog"):
        asked = urlencode({"method": method, "startDate": f"{datetime.now(UTC) - _YEAR:%Y-%m-%d}"})
        before, begun = server.cpu(), time.perf_counter()
        try:
            answer = json.loads(
                await connection.send(http_request("GET", f"/api/v1alpha1/delivery/metrics?{asked}"))
            )
        except RuntimeError as refused:  # there are more of them than one call may measure
            print(f"{method:20}{str(refused).splitlines()[0]}")
            continue
        took, cpu = (time.perf_counter() - begun) * 1e3, (server.cpu() - before) * 1e3
        number = answer["total"]["deployments"]
        print(f"{method:20}{number:>12,}{took:10.0f}{cpu:10.0f}{server.memory():10.0f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=300, help="incidents that are asked for")
    parser.add_argument("--database", type=Path, help="a store that `tracker demo` has filled")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        database = options.database or Path(folder, "tracker.db")
        if options.database is None:
            filled = ("tracker", "demo", str(database), "--events", str(options.events))
            subprocess.run([sys.executable, "-m", *filled], check=True, stderr=subprocess.DEVNULL)
        with serving(database, CALL_TIMEOUT="600") as server:  # other work may slow the machine down
            asyncio.run(measure(server, options.times))
            asyncio.run(measure_versions(server, options.times))
            asyncio.run(measure_delivery(server))


if __name__ == "__main__":
    main()
