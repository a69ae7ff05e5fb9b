"""`tracker audit`."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import apsw
from tests.cli.commands import at, tracker
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path


def recorded(server: ServerProcess, mentions: str) -> list[Any]:
    """Return the entries that mention a text, as soon as there are any."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        listed = tracker("audit", "list", "--mentions", mentions, "--output", "json", environ=at(server))
        if entries := json.loads(listed.stdout)["entries"]:
            return list(entries)
    raise AssertionError


def test_the_log_is_exported_and_verified_without_a_server(server: ServerProcess, tmp_path: Path) -> None:
    tracker("lock", "acquire", "--service", "exported", "--who", "ann", environ=at(server))
    (entry,) = recorded(server, "exported")
    table = tracker("audit", "list", "--record", "lock", environ=at(server)).stdout
    assert all(text in table for text in ("lock", "created", "anonymous", entry["recordId"]))
    kept, file = tmp_path / "checkpoint.json", tmp_path / "audit.ndjson"
    kept.write_text(tracker("audit", "checkpoint", environ=at(server)).stdout)
    assert tracker("audit", "export", str(file), environ=at(server)).returncode == 0
    for asked in ([str(file)], []):
        verified = tracker(
            "audit", "verify", *asked, "--checkpoint", str(kept), "--output", "json", environ=at(server)
        )
        assert (verified.returncode, json.loads(verified.stdout)["problems"]) == (0, [])
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-2]))
    cut = tracker("audit", "verify", str(file), "--checkpoint", str(kept))
    assert (cut.returncode, "of a checkpoint that was kept, is missing" in cut.stderr) == (1, True)
    file.write_text("\n".join(line.replace("ann", "bob") for line in lines))
    edited = tracker("audit", "verify", str(file))
    assert (edited.returncode, f"the content of entry {entry['number']} was changed" in edited.stderr) == (
        1,
        True,
    )
    file.write_text("no entry\n")
    assert tracker("audit", "verify", str(file)).returncode == 64


def test_damaged_entries_are_listed_and_the_server_starts(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "tracker.db") as server:
        tracker("lock", "acquire", "--service", "torn", "--who", "ann", environ=at(server))
        recorded(server, "torn")
    with closing(apsw.Connection(str(server.database))) as file:
        file.execute("UPDATE audit SET content = CAST(X'7bff22' AS TEXT), at = 1 << 62 WHERE record = 'lock'")
        file.execute("UPDATE audit SET content = '[1]' WHERE record = 'settings'")
    with server:
        tracker("lock", "acquire", "--service", "whole", "--who", "ann", environ=at(server))
        recorded(server, "whole")
        listed = tracker("audit", "list", environ=at(server))
        assert (listed.returncode, listed.stderr) == (0, "")
        assert "9999-12-31" in listed.stdout
        assert "damaged: {" in listed.stdout
        assert "damaged: [1]" in listed.stdout
        assert '"service": "whole"' in listed.stdout
        verified = tracker("audit", "verify", environ=at(server))
        assert verified.returncode == 1
        assert tracker("audit", "erase", "whole", "--yes", environ=at(server)).returncode == 0


def test_a_personal_value_is_erased(server: ServerProcess) -> None:
    person = "erika@example.com"
    tracker("lock", "acquire", "--service", "erased", "--who", person, environ=at(server))
    recorded(server, person)
    assert tracker("audit", "erase", person, environ=at(server)).returncode == 64
    erased = tracker("audit", "erase", "-", "--yes", environ=at(server), text=f"{person}\n")
    assert erased.stdout == "erased from 1 entry\n"
    assert "no entries" in tracker("audit", "list", "--mentions", person, environ=at(server)).stderr
    assert tracker("audit", "verify", environ=at(server)).returncode == 0
