"""`tracker retention`, `hold`, `erase` and `compact`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
from tests.cli.commands import at, tracker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess


def created(server: ServerProcess, title: str, *options: str) -> str:
    arguments = ("--service", "shop", "--type", "deployment", "--start", "2020-01-31T12:00", *options)
    return tracker("event", "create", title, *arguments, environ=at(server)).stdout.strip()


def test_a_policy_is_made_tried_and_run(server: ServerProcess) -> None:
    created(server, "due")
    created(server, "held", "--owner", "ann")
    made = tracker("retention", "create", "old", "--keep", "400d", "-q", "service:shop", environ=at(server))
    assert (made.returncode, made.stderr) == (0, "")
    hold = tracker("hold", "create", "case-7", "-q", "title:held", "--reason", "a case", environ=at(server))
    assert hold.returncode == 0
    listed = tracker("retention", "list", "--output", "csv", environ=at(server)).stdout.splitlines()
    assert listed[0] == "name,state,keeps,query,exports,last run,deleted,id"
    assert listed[1].startswith("old,off,400d,service:shop,no,,")
    shown = tracker("retention", "preview", "old", environ=at(server)).stdout
    assert [line.split() for line in shown.splitlines()[:3]] == [
        ["due", "2"],
        ["held", "1"],
        ["deleted", "1"],
    ]
    refused = tracker("retention", "run", "old", environ=at(server))
    assert "--yes" in refused.stderr
    done = tracker("retention", "run", "old", "--yes", environ=at(server))
    assert done.stdout == "1 event deleted\n"
    erased = tracker("erase", "ann", "--yes", environ=at(server))
    assert "held by the legal hold case-7" in erased.stderr
    assert tracker("hold", "release", "case-7", "--yes", environ=at(server)).returncode == 0
    tried = tracker("erase", "ann", "--dry-run", environ=at(server))
    assert tried.stdout.startswith("event: 1 (")
    assert "nothing was erased" in tried.stderr
    assert tracker("retention", "edit", "old", "--keep", "30d", "--on", environ=at(server)).returncode == 0
    assert tracker("retention", "delete", "old", "--yes", environ=at(server)).returncode == 0
    none = tracker("retention", "list", environ=at(server))
    assert none.stderr == "there are no policies: events are kept\n"


def test_a_file_of_an_earlier_version_is_compacted(tmp_path: Path) -> None:
    path, environ = tmp_path / "tracker.db", {"DATABASE_PATH": str(tmp_path / "tracker.db")}
    assert tracker("demo", str(path), "--events", "300").returncode == 0
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "delete")
    db.pragma("auto_vacuum", "none")
    db.execute("VACUUM")
    db.execute("DELETE FROM events; DELETE FROM changelog")
    assert db.pragma("auto_vacuum") == 0
    db.close()
    before = path.stat().st_size
    done = tracker("compact", environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.stat().st_size < before
    db = apsw.Connection(str(path))
    assert (db.pragma("auto_vacuum"), db.pragma("integrity_check")) == (2, "ok")
    db.close()
