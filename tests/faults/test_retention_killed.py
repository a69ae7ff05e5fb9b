"""A server that is killed while it exports and deletes events: each is in the store or in a whole file."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

from tests.faults.load import stored
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 2_000


def ask(server: ServerProcess, path: str, body: object) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.http_port}/api/v1alpha1/{path}", json.dumps(body).encode()
    )
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def exported(folder: Path) -> set[str]:
    return {
        json.loads(line)["metadata"]["id"]
        for file in folder.rglob("*.gz")
        for line in gzip.decompress(file.read_bytes()).splitlines()
    }


def test_events_are_exported_before_they_are_deleted_when_the_server_is_killed(tmp_path: Path) -> None:
    database, exports = tmp_path / "tracker.db", tmp_path / "exports"
    attributes = {"service": "shop", "type": "deployment", "startDate": "2020-01-31T12:00:00Z"}
    ids = {str(uuid.uuid4()) for _ in range(EVENTS)}
    settings = {"RETENTION_EXPORT_DIR": str(exports), "RETENTION_RATE": "1000"}
    with ServerProcess(database, **settings) as server:
        events = [{"title": "old", "attributes": attributes, "metadata": {"id": each}} for each in ids]
        for start in range(0, EVENTS, 500):
            ask(server, "events/import", {"events": events[start : start + 500]})
        policy = ask(server, "retention/policies", {"name": "old", "keepFor": "86400s", "export": True})
        run = f"retention/policies/{policy['policy']['id']}/run"

        def sweep() -> None:
            with contextlib.suppress(OSError):
                ask(server, run, {"limit": 10_000})

        sweeping = threading.Thread(target=sweep)
        sweeping.start()
        deadline = time.monotonic() + PATIENCE
        while not exported(exports):
            assert time.monotonic() < deadline, server.log()
            time.sleep(0.01)  # between two polls
        server.kill()
        sweeping.join()
        left = stored(database)
        assert left
        assert left | exported(exports) == ids
        server.start()
        assert ask(server, run, {"limit": 10_000})["deleted"] == len(left)
        server.terminate()
    assert stored(database) == set()
    assert exported(exports) == ids
    assert not [*exports.rglob("*.unfinished")]
