"""Events a second by each intake, beside native creates, in turns on one server.

    python -m bench.intake [--seconds 2] [--turns 5] [--connections 16]

`native` is the event as it is written for Tracker, `native, external id` one with an id of its own, as each
CloudEvent has. `CPU` is the server's for one event. `in posts` are events that come many in a request.
Then come events of DogStatsD, 20,000 a second for two seconds, and how many of them are recorded.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import socket
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from bench.load import free_ports, http_request, middle, run
from bench.server import serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.load import Connection, Result

    Body = Callable[[int], Any]

TITLE, MESSAGE = "Deployment of payments", "version 1.42.0 by the pipeline"
NAMED = {"service": "payments", "environment": "production", "version": "1.42.0", "owner": "ana"}
ATTRIBUTES = {"message": MESSAGE, "source": "bench", "type": "deployment", "status": "success", **NAMED}
TAGS = [*(f"{key}:{value}" for key, value in NAMED.items()), "type:deployment"]
PAGERDUTY = {
    "summary": TITLE,
    "source": "bench",
    "severity": "info",
    "custom_details": {**NAMED, "type": "deployment", "note": MESSAGE},
}
NEW_RELIC = {"eventType": "Deployment", "title": TITLE, "message": MESSAGE, "status": "success", **NAMED}
BURST_RATE, BURST_SECONDS = 20_000, 2
"""Datagrams of DogStatsD a second, and for how long."""
TOGETHER = 200
"""Events of a post that has many."""
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
    "PagerDuty change": ("/v2/change/enqueue", lambda _: {"payload": PAGERDUTY}),
    "PagerDuty trigger": (
        "/v2/enqueue",
        lambda n: {"event_action": "trigger", "dedup_key": f"p-{n}", "payload": PAGERDUTY},
    ),
    "New Relic": ("/v1/accounts/1/events", lambda _: NEW_RELIC),
    "New Relic, in posts": ("/v1/accounts/2/events", lambda _: [NEW_RELIC] * TOGETHER),
    "Kubernetes, in posts": (
        "/api/v1alpha1/integrations/kubernetes/webhook",
        lambda n: {
            "items": [
                {
                    "metadata": {"uid": f"k-{n}-{each}"},
                    "involvedObject": {"kind": "Pod", "name": "payments-0", "namespace": "production"},
                    "type": "Warning",
                    "reason": "BackOff",
                    "message": MESSAGE,
                }
                for each in range(TOGETHER)
            ]
        },
    ),
    "CloudEvents, in posts": (
        "/cloudevents",
        lambda n: [
            {**CLOUD_EVENT, "id": f"b-{n}-{each}", "data": {"title": TITLE, "message": MESSAGE, **NAMED}}
            for each in range(TOGETHER)
        ],
    ),
}


def script_of(path: str, body: Body) -> Callable[[Connection], Awaitable[None]]:
    """Return what one connection does: record one event, or those of a post."""
    numbers = itertools.count()

    async def script(connection: Connection) -> None:
        given = body(next(numbers))
        media_type = "application/json"
        if path == "/cloudevents":
            media_type = f"application/cloudevents{'-batch' if isinstance(given, list) else ''}+json"
        content = json.dumps(given).encode()
        await connection.send(http_request("POST", path, content, **{"content-type": media_type}))

    return script


def datagrams() -> None:
    """Send a burst of events of DogStatsD, and print what became of them."""
    metrics_port, port = free_ports(2)
    settings = {"METRICS_PORT": str(metrics_port), "DOGSTATSD_ADDRESS": f"udp://127.0.0.1:{port}"}
    datagram = b"_e{%d,%d}:%b|%b|t:success|#%b"
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder) / "bench.db", **settings):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", port))
            title, message, tags = TITLE.encode(), MESSAGE.encode(), ",".join(TAGS).encode()
            content = datagram % (len(title), len(message), title, message, tags)
            began, sent = time.perf_counter(), 0
            while (taken := time.perf_counter() - began) < BURST_SECONDS:
                while sent < taken * BURST_RATE:
                    sent += sender.send(content) > 0
                time.sleep(0.0005)
        counted: dict[str, float] = {}
        while counted.get("event", 0) + counted.get("dropped", 0) + counted.get("lost", 0) < sent:
            time.sleep(0.5)
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
                found = re.findall(
                    r'dogstatsd_messages_total{kind="(\w+)"} ([0-9.]+)', answer.read().decode()
                )
            counted = {kind: float(number) for kind, number in found}
        seconds = time.perf_counter() - began
    print(
        f"DogStatsD: {sent} datagrams in {BURST_SECONDS} s:"
        f" {counted['event']:.0f} recorded within {seconds:.0f} s,"
        f" {counted['dropped']:.0f} dropped, {counted['lost']:.0f} lost in the kernel"
    )


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
        result, events = middle(of_turns), TOGETHER if name.endswith("in posts") else 1
        rate = result.rate * events
        print(
            f"{name:22}{rate:8.0f}{rate / native.rate:9.2f}{result.p50 * 1e3:9.2f}"
            f"{result.server / events * 1e6:9.0f}{result.cpu:7.0%}"
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
    datagrams()
