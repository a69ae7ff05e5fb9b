"""A filterable field, added as docs/architecture.md says, on a copy of the tree: to declare it is enough."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest
from tests.cli.commands import CLEAN
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parents[2]
PROTO = Path("proto", "event", "v1alpha1", "event.proto")

DECLARED = """
  // Data centre where it happened.
  string data_centre = 190 [(tracker.options.v1.query) = {
    aliases: "dc"
    facet: true
    term: true
  }];
  // Tenant that it is about.
  string tenant = 191 [(tracker.options.v1.query) = {
    facet: true
    column: true
  }];
  // How it was reviewed.
  Priority urgency = 192 [(tracker.options.v1.query) = {
    facet: true
    ordered: true
  }];
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a copy of what messages, documents and a server are made of, with fields that are new there."""
    for name in ("src", "proto", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("buf.yaml", "buf.gen.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    text = (tmp_path / PROTO).read_text()
    start = text.index("message EventAttributes {")
    end = text.index("\n}\n", start)
    (tmp_path / PROTO).write_text(text[:end] + DECLARED.rstrip() + text[end:])
    return tmp_path


def run(tree: Path, *arguments: str, **environ: str) -> str:
    """Run a module of the tree, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=tree,
        env=CLEAN | {"PYTHONPATH": str(tree / "src")} | environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def found(tree: Path, server: str, *options: str) -> Sequence[str]:
    printed = run(
        tree, "tracker", "event", "search", "deploy", *options, "--output", "ndjson", TRACKER_SERVER=server
    )
    return [json.loads(line)["title"] for line in printed.splitlines()]


def test_a_field_is_filterable_once_it_is_declared(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tree / "tracker.db"
    with ServerProcess(database) as before:
        assert before.ready()
    run(tree, "tools.generate")
    monkeypatch.setenv("PYTHONPATH", str(tree / "src"))
    with ServerProcess(database) as after:
        server = f"http://127.0.0.1:{after.http_port}"
        for number, place in enumerate(("paris", "paris", "oslo")):
            run(
                *(tree, "tracker", "event", "create", f"Deploy {number}", "--service", "cart"),
                *(
                    "--type",
                    "deployment",
                    "--data-centre",
                    place,
                    "--tenant",
                    f"t{number}",
                    "--urgency",
                    "p2",
                ),
                TRACKER_SERVER=server,
            )
        assert found(tree, server, "--data-centre", "paris") == ["Deploy 1", "Deploy 0"]
        assert found(tree, server, "--tenant", "t2", "dc:oslo urgency:P1..P2") == ["Deploy 2"]
        stats = ("stats", "--by", "data_centre", "--by", "tenant", "--by", "urgency", "--output", "json")
        counted: Any = json.loads(run(tree, "tracker", *stats, TRACKER_SERVER=server))
        assert [
            [(value["value"], value["count"]) for value in facet["values"]] for facet in counted["facets"]
        ] == [[("paris", 2), ("oslo", 1)], [("t0", 1), ("t1", 1), ("t2", 1)], [("P2", 3)]]
        plan = run(tree, "tracker", "event", "search", "tenant:t1", "--explain", TRACKER_SERVER=server)
        assert "events_by_tenant (tenant=?)" in plan
    with closing(apsw.Connection(str(database))) as file:
        columns = {name for (name,) in file.execute("SELECT name FROM pragma_table_xinfo('events')")}
    assert "tenant" in columns
    assert "data_centre" not in columns
