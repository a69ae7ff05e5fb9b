"""Events a second by each intake, beside native creates, in turns on one server.

    python -m bench.intake [--seconds 2] [--turns 5] [--connections 16]

`native` is the event as it is written for Tracker, `native, external id` one with an id of its own, as each
CloudEvent has. `CPU` is the server's for one event.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from bench.load import http_request, middle, run
from bench.server import serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.load import Connection, Result

    Body = Callable[[int], Any]

TITLE, MESSAGE = "Deployment of payments", "version 1.42.0 by the pipeline"
NAMED = {"service": "payments", "environment": "production", "version": "1.42.0", "owner": "ana"}
ATTRIBUTES = {"message": MESSAGE, "source": "bench", "type": "deployment", "status": "success", **NAMED}
TAGS = [*(f"{key}:{value}" for key, value in NAMED.items()), "type:deployment"]
CLOUD_EVENT = {"specversion": "1.0", "source": "/bench", "type": "com.example.deployed"}

BODIES: dict[str, tuple[str, Body]] = {
    "native": ("/api/v1alpha1/event", lambda _: {"title": TITLE, "attributes": ATTRIBUTES}),
    "native, external id": (
        "/api/v1alpha1/event",
        lambda n: {"title": TITLE, "attributes": {**ATTRIBUTES, "externalId": f"n-{n}"}},
    ),
    "Datadog v1": (
        "/api/v1/events",
        lambda _: {"title": TITLE, "text": MESSAGE, "alert_type": "success", "tags": TAGS},
    ),
    "CloudEvents": (
        "/cloudevents",
        lambda n: {
            **CLOUD_EVENT,
            "id": f"c-{n}",
            "data": {"title": TITLE, "message": MESSAGE, "type": "deployment", "status": "success", **NAMED},
        },
    ),
    "Grafana": ("/api/annotations", lambda _: {"text": f"{TITLE}\n{MESSAGE}", "tags": TAGS}),
}


def script_of(path: str, body: Body) -> Callable[[Connection], Awaitable[None]]:
    """Return what one connection does: record one event."""
    numbers = itertools.count()
    media_type = "application/cloudevents+json" if path == "/cloudevents" else "application/json"

    async def script(connection: Connection) -> None:
        content = json.dumps(body(next(numbers))).encode()
        await connection.send(http_request("POST", path, content, **{"content-type": media_type}))

    return script


async def main(seconds: float, turns: int, connections: int) -> None:
    """Measure, and print the figures."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "bench.db") as server:
        scripts = {name: script_of(*of) for name, of in BODIES.items()}
        results: dict[str, list[Result]] = {name: [] for name in scripts}
        for _ in range(turns):
            for name, script in scripts.items():
                found = await run(
                    server.rest, script, connections=connections, seconds=seconds, server=server
                )
                results[name].append(found)
    native = middle(results["native"])
    print(f"{'':22}{'per s':>8}{'/native':>9}{'p50 ms':>9}{'CPU µs':>9}{'load':>7}")
    for name, of_turns in results.items():
        result = middle(of_turns)
        print(
            f"{name:22}{result.rate:8.0f}{result.rate / native.rate:9.2f}{result.p50 * 1e3:9.2f}"
            f"{result.server * 1e6:9.0f}{result.cpu:7.0%}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--connections", type=int, default=16)
    given = parser.parse_args()
    uvloop.run(main(given.seconds, given.turns, given.connections))
