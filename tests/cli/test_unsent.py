"""What `tracker run --offline-ok` keeps without a server, and how it is sent."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.commands import at, start, tracker
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server_process import ServerProcess


@pytest.fixture
def silent() -> Iterator[str]:
    """Give the address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("tracker/unsent/*.json"))


def run_offline(folder: Path, server: str, service: str, *command: str) -> str:
    done = tracker(
        *(
            "--server",
            server,
            "run",
            "--service",
            service,
            "--environment",
            "production",
            "--offline-ok",
            "--",
        ),
        *command,
        environ={"XDG_STATE_HOME": str(folder)},
    )
    assert (done.returncode, done.stdout) == (0, "hi\n"), done.stderr
    return done.stderr


def move(files: list[Path], server: ServerProcess) -> None:
    """Make kept records those of a server."""
    for file in files:
        file.write_text(json.dumps(json.loads(file.read_text()) | {"server": at(server)["TRACKER_SERVER"]}))


def sent(server: ServerProcess, folder: Path, service: str) -> tuple[list[Any], str]:
    """Return the events of a service after a command that reaches the server, and what that says."""
    environ = at(server) | {"XDG_STATE_HOME": str(folder)}
    done = tracker("event", "list", "--query", f"service:{service}", "--output", "json", environ=environ)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["events"], done.stderr


def test_a_record_is_kept_and_sent_once_with_its_true_times(
    server: ServerProcess, service: str, silent: str, tmp_path: Path
) -> None:
    began = time.monotonic()
    said = run_offline(tmp_path, silent, service, "echo", "hi")
    assert time.monotonic() - began < PATIENCE  # of which two for the server
    (file,) = kept(tmp_path)
    assert f"the record is kept in {file}; the next command that reaches {silent} sends it" in said
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    ended = json.loads(file.read_text())["request"]["attributes"]["endDate"]
    run_offline(tmp_path, "http://127.0.0.1:9", service, "echo", "hi")
    assert sent(server, tmp_path, service) == ([], "")  # they are for other servers
    move(kept(tmp_path), server)
    environ = at(server) | {"XDG_STATE_HOME": str(tmp_path)}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: tracker("lock", "list", environ=environ), range(4)))
    events, _ = sent(server, tmp_path, service)
    assert kept(tmp_path) == []
    assert len(events) == 2
    first = min(events, key=lambda event: str(event["attributes"]["startDate"]))
    assert (first["attributes"]["status"], first["attributes"]["endDate"]) == ("success", ended)
    assert first["attributes"]["message"].endswith("its last lines:\nhi")


def test_a_record_that_was_sent_without_an_answer_is_sent_again_without_effect(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    run_offline(tmp_path, "http://127.0.0.1:9", service, "echo", "hi")
    move(kept(tmp_path), server)
    (file,) = kept(tmp_path)
    record = json.loads(file.read_text())
    before, said = sent(server, tmp_path, service)
    assert said == f"tracker: sent 1 kept record to {record['server']}\n"
    for key in (record["key"], "another, since servers forget keys"):
        file.write_text(json.dumps(record | {"key": f'"{key}"'}))
        after, _ = sent(server, tmp_path, service)
        assert after == before


def test_the_record_of_a_run_that_is_killed_is_sent_when_it_has_ended(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    environ = {"TRACKER_SERVER": "http://127.0.0.1:9", "XDG_STATE_HOME": str(tmp_path)}
    arguments = ("run", "--service", service, "--offline-ok", "--", "sh", "-c", "echo ready; sleep 60")
    with start(*arguments, environ=environ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        move(kept(tmp_path), server)
        assert sent(server, tmp_path, service) == ([], "")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
        ((event,), _) = sent(server, tmp_path, service)
    assert event["attributes"]["status"] == "error"
    assert event["attributes"]["message"] == "its end is unknown: tracker run was killed"
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1.damaged: it is damaged"),
        ("[" * 100_000, "1.damaged: it is damaged"),
        ('{"server": "S", "rpc": "CreateEvent", "key": "k", "request": {}}', "1.refused: S refused it: "),
    ],
    ids=["empty", "deep", "refused"],
)
def test_a_record_that_can_not_be_sent_is_set_aside(
    server: ServerProcess, tmp_path: Path, text: str, said: str
) -> None:
    url, folder = at(server)["TRACKER_SERVER"], tmp_path / "tracker" / "unsent"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(text.replace("S", url, 1))
    aside = f"tracker: a kept record was not sent, and is set aside as {folder}/"
    assert sent(server, tmp_path, "none")[1].startswith(aside + said.replace("S", url, 1))
    assert sent(server, tmp_path, "none") == ([], "")


def test_a_record_that_can_not_be_kept_is_no_failure_of_the_command(service: str, tmp_path: Path) -> None:
    (tmp_path / "tracker").write_text("")
    said = run_offline(tmp_path, "http://127.0.0.1:9", service, "echo", "hi")
    assert f"the record can't be kept: {tmp_path}/tracker/unsent: Not a directory" in said
