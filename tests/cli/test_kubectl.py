"""`tracker intake send kubernetes` behind `kubectl`, whose API server is one of a few lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.cli.commands import at, tracker

from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server_process import ServerProcess

pytestmark = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="there is no kubectl here: WHAT IT PRINTS IS NOT TESTED"
)


def event(number: int, reason: str = "BackOff", kind: str = "Warning") -> dict[str, Any]:
    about = {"apiVersion": "v1", "kind": "Pod", "namespace": "production", "name": "cart-7d9f8b6c5d-x2x7z"}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"cart.{number}", "namespace": "production", "uid": f"uid-{number}"},
        "involvedObject": about,
        "reason": reason,
        "message": 'Zurück: "failed"\n}',
        "type": kind,
        "count": number,
        "firstTimestamp": "2026-03-01T10:00:00Z",
        "lastTimestamp": "2026-03-01T10:05:00Z",
        "eventTime": None,
        "source": {"component": "kubelet"},
    }


LISTED = {
    "apiVersion": "v1",
    "kind": "EventList",
    "metadata": {"resourceVersion": "7"},
    "items": [event(1), event(2, "Pulled", "Normal")],
}
WATCHED = ({"type": "ADDED", "object": event(3)}, {"type": "MODIFIED", "object": event(1) | {"count": 5}})
RESOURCE = {"name": "events", "singularName": "event", "namespaced": True, "kind": "Event", "verbs": ["list"]}
ANSWERS: dict[str, Any] = {
    "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.4"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [RESOURCE]},
    "/api/v1/events": LISTED,
}


class Kubernetes(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        watches = "watch" in parse_qs(asked.query)
        content = "\n".join(map(json.dumps, WATCHED if watches else [ANSWERS[asked.path]])) + "\n"
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(content.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def kubernetes() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Kubernetes) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_kubectl_lists_and_watches_is_recorded(
    server: ServerProcess, kubernetes: str, tmp_path: Path
) -> None:
    def printed(*options: str) -> str:
        command = ("kubectl", "--server", kubernetes, "get", "events", "-A", "-o", "json", *options)
        environ = os.environ | {"HOME": str(tmp_path), "KUBECONFIG": ""}
        return subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout

    for options, number in (((), 1), (("--watch",), 3), (("--watch", "--output-watch-events"), 3)):
        sent = tracker("intake", "send", "kubernetes", environ=at(server), text=printed(*options))
        recorded = f"{number_of(number, 'event')} recorded"
        assert (sent.returncode, sent.stderr) == (0, f"tracker: {recorded}\n"), options
    listed = tracker("event", "list", "--output", "json", environ=at(server)).stdout
    events = {each["attributes"]["externalId"]: each["attributes"] for each in json.loads(listed)["events"]}
    assert {own: of["labels"]["count"] for own, of in events.items()} == {"uid-1": "5", "uid-3": "3"}
    wanted = {"service": "cart", "environment": "production", "message": 'Zurück: "failed"\n}'}
    assert wanted.items() <= events["uid-1"].items()
