"""A server whose file Litestream replicates, by the example in `deploy/`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import httpx2
import pytest
import yaml
from tests.docs.pages import ROOT
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

LITESTREAM = shutil.which("litestream", path=str(Path(sys.executable).parent))
CONFIG = ROOT / "deploy" / "litestream" / "litestream.yml"

pytestmark = pytest.mark.skipif(LITESTREAM is None, reason="there is no Litestream for this system")


def command(name: str, *arguments: str) -> list[str]:
    assert LITESTREAM is not None
    return [LITESTREAM, name, "-config", str(CONFIG), *arguments]


@contextmanager
def replicated(environ: dict[str, str]) -> Iterator[None]:
    """Replicate; at the end by SIGKILL, as if the machine were lost."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command("replicate"), env=os.environ | environ, stdout=quiet, stderr=quiet)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def restore_as_in_a_pod(database: Path, environ: dict[str, str]) -> None:
    """Run the init container of the values for the Helm chart."""
    values = yaml.safe_load((CONFIG.parent / "values.yaml").read_text())
    asked, _ = (each["args"] for each in values["initContainers"])
    places = {"/litestream/litestream.yml": str(CONFIG), "/data/tracker.db": str(database)}
    assert LITESTREAM is not None
    arguments = [places.get(each, each) for each in asked]
    subprocess.run([LITESTREAM, *arguments], env=os.environ | environ, check=True, stderr=subprocess.DEVNULL)


def titles(server: ServerProcess) -> set[str]:
    answer = httpx2.get(f"http://127.0.0.1:{server.http_port}/api/v1alpha1/events/list?perPage=1000")
    return {each["title"] for each in answer.json()["events"]}


def record(server: ServerProcess, title: str) -> str:
    event = {"title": title, "attributes": {"service": "replicated", "type": "deployment"}}
    url = f"http://127.0.0.1:{server.http_port}/api/v1alpha1/event"
    httpx2.post(url, json=event).raise_for_status()
    return title


def restored(place: Path, environ: dict[str, str]) -> Path:
    """Restore what was replicated so far, where there is something."""
    place.unlink(missing_ok=True)
    asked = command("restore", "-if-replica-exists", "-o", str(place), environ["DATABASE_PATH"])
    subprocess.run(asked, env=os.environ | environ, check=True, stderr=subprocess.DEVNULL)
    return place


def test_a_store_that_litestream_replicates_is_restored_after_the_machine_is_lost(tmp_path: Path) -> None:
    database, replica = tmp_path / "here" / "tracker.db", tmp_path / "replica"
    database.parent.mkdir()
    environ = {"DATABASE_PATH": str(database), "LITESTREAM_REPLICA_URL": f"file://{replica}"}
    restore_as_in_a_pod(database, environ)
    assert not database.exists()
    with ServerProcess(database) as server, replicated(environ):
        recorded = {record(server, f"before {number}") for number in range(50)}
        deadline = time.monotonic() + PATIENCE
        elsewhere = tmp_path / "elsewhere.db"
        while not restored(elsewhere, environ).exists() or not _has_all(elsewhere, recorded):
            assert time.monotonic() < deadline
        server.kill()
    shutil.rmtree(database.parent)
    database.parent.mkdir()
    for _ in range(2):
        restore_as_in_a_pod(database, environ)
    with ServerProcess(database) as back:
        assert titles(back) == recorded
        record(back, "after")
        assert back.terminate() == 0


def _has_all(database: Path, wanted: set[str]) -> bool:
    db = apsw.Connection(str(database))
    tables = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'events'").get
    found = db.execute("SELECT document ->> 'title' FROM events").fetchall() if tables else []
    db.close()
    return {str(title) for (title,) in found} >= wanted
