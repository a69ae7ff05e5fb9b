"""How soon a receiver gets messages of a webhook, and what webhooks cost whoever records events.

    python -m bench.webhooks [--rate 100] [--seconds 10]

Starts a server, and records events at a rate over REST, on the loopback interface: without a webhook, with
one, and with a second one whose receiver never answers. A delay is from before the event is sent to when the
first receiver has the whole message; a create is the time that a caller waits for its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop
from bench.load import http_request
from bench.server import serving
from tests.webhook_receiver import receiving

if TYPE_CHECKING:
    from bench.load import RestConnection
    from bench.server import Server
    from tests.webhook_receiver import Receiver

_PATIENCE = 30
"""Seconds in which all messages must have come."""


async def _create_webhook(connection: RestConnection, url: str) -> None:
    body = json.dumps({"name": "bench", "url": url}).encode()
    await connection.send(http_request("POST", "/api/v1alpha1/webhooks", body))


async def _measure(name: str, server: Server, options: argparse.Namespace, receiver: Receiver | None) -> None:
    connection, creates = await server.rest(), []
    known = len(receiver.received) if receiver else 0
    events, cpu, begun = round(options.rate * options.seconds), server.cpu(), time.perf_counter()
    for number in range(events):
        await asyncio.sleep(begun + number / options.rate - time.perf_counter())
        sent = time.perf_counter()
        event = {"title": repr(sent), "attributes": {"service": "bench", "type": "drift"}}
        await connection.send(http_request("POST", "/api/v1alpha1/event", json.dumps(event).encode()))
        creates.append(time.perf_counter() - sent)
    delays: list[float] = []
    if receiver is not None:
        async with asyncio.timeout(_PATIENCE):
            messages = (await receiver.wait_for(known + events))[known:]
        delays = [each.at - float(json.loads(each.body)["data"]["title"]) for each in messages]
    cpu = (server.cpu() - cpu) / events
    shown = "".join(f"{1e3 * each:9.1f}" for each in (*_quantiles(creates), *_quantiles(delays)))
    print(f"{name:22}{events:6}{1e6 * cpu:9.0f}{shown}", flush=True)
    await connection.close()


def _quantiles(seconds: list[float]) -> tuple[float, ...]:
    if not seconds:
        return ()
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)], ordered[-1]


async def _run(options: argparse.Namespace, server: Server) -> None:
    print(f"{'':22}{'events':>6}{'CPU us':>9}{'create ms: p50, p99, max':>27}{'delay ms: p50, p99, max':>27}")
    connection = await server.rest()
    await _measure("no webhook", server, options, None)
    async with receiving() as receiver:
        await _create_webhook(connection, receiver.url)
        await _measure("one", server, options, receiver)
        with socket.create_server(("127.0.0.1", 0)) as hanging:  # connections are made, and never accepted
            await _create_webhook(connection, f"http://127.0.0.1:{hanging.getsockname()[1]}/")
            await _measure("beside one that hangs", server, options, receiver)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate", type=float, default=100, help="events a second")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        database = Path(folder) / "tracker.db"
        with serving(database, WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8") as server:
            uvloop.run(_run(options, server))


if __name__ == "__main__":
    main()
