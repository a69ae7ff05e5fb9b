"""`tracker lock run`: what the command gets, what it leaves, what it ends with, and when it is ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from tests.cli.commands import CLEAN, at, start, tracker
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server_process import ServerProcess


@contextlib.contextmanager
def running(
    server: ServerProcess, service: str, script: str, *options: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a script of the shell under a lock, once it has said `ready`."""
    arguments = ("--service", service, *options, "--", "sh", "-c", script)
    with start("lock", "run", *arguments, environ=at(server)) as cli:
        try:
            assert cli.stdout is not None
            assert cli.stdout.readline() == "ready\n", cli.communicate()
            yield cli
        finally:
            cli.kill()


def run(
    server: ServerProcess, service: str, *command: str, options: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run a command under a lock to its end."""
    arguments = ("lock", "run", "--service", service, *options, "--", *command)
    return tracker(*arguments, environ=at(server) | environ)


def call(server: ServerProcess, path: str, body: object = None, verb: str | None = None) -> Any:
    """Ask the server, without what is tested here."""
    url = f"http://127.0.0.1:{server.http_port}/api/v1alpha1/{path}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=verb), timeout=PATIENCE) as answer:
        return json.load(answer)


def locks(server: ServerProcess, service: str) -> list[Any]:
    """Return the locks of a service."""
    found = call(server, f"locks/list?service={service}")["locks"]
    assert isinstance(found, list)
    return found


def await_gone(pid: int) -> None:
    """Wait until there is no such process."""
    deadline = time.monotonic() + PATIENCE
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)  # between two polls


@pytest.mark.parametrize("code", [0, 1, 64, 75, 255])
def test_the_exit_code_of_the_command_is_passed_on(server: ServerProcess, service: str, code: int) -> None:
    done = run(server, service, "sh", "-c", f"exit {code}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_the_exit_code_is_passed_on_also_where_the_ends_of_children_are_ignored(
    server: ServerProcess, service: str
) -> None:
    inner = shlex.join([sys.executable, "-m", "tracker", "lock", "run", "--service", service])
    script = f"trap '' CHLD INT; exec {inner} -- sh -c 'kill -INT $$; exit 7'"
    done = subprocess.run(["bash", "-c", script], env=CLEAN | at(server), timeout=PATIENCE, check=False)
    assert done.returncode == 7


def test_a_command_that_a_signal_ends_gives_128_and_its_number(server: ServerProcess, service: str) -> None:
    assert run(server, service, "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM


def test_the_command_has_the_input_and_output_and_the_open_files(server: ServerProcess, service: str) -> None:
    inner = shlex.join(["sh", "-c", "cat; cat <&9; echo oops >&2"])
    script = f"{sys.executable} -m tracker lock run --service {service} -- {inner} 9<<< nine"
    done = subprocess.run(
        ["bash", "-c", script],
        input="one\ntwo\n",
        env=CLEAN | at(server),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("one\ntwo\nnine\n", "oops\n")


def test_the_command_knows_its_lock_but_not_the_secret(server: ServerProcess, service: str) -> None:
    script = f"env; {sys.executable} -m tracker lock list --service {service} --output json"
    done = run(server, service, "sh", "-c", script, TRACKER_LOCK_TOKEN="of another lock, which has its own")
    environ, _, listed = done.stdout.partition("\n{")
    (lock,) = json.loads("{" + listed)["locks"]
    assert f"TRACKER_LOCK_ID={lock['id']}\n" in environ
    assert f"TRACKER_FENCING_TOKEN={lock['fencingToken']}\n" in environ
    assert "TRACKER_LOCK_TOKEN" not in environ
    check = f"lock/check?service={service}&fencing_token={lock['fencingToken']}"
    assert call(server, check)["current"] is False
    assert locks(server, service) == []


def test_the_lock_is_renewed_for_as_long_as_the_command_runs(server: ServerProcess, service: str) -> None:
    with running(server, service, "echo ready; read line", "--ttl", "6s") as cli:
        deadline = time.monotonic() + PATIENCE
        while int(locks(server, service)[0]["renewals"]) < 4:  # more than one lease
            assert time.monotonic() < deadline
            time.sleep(0.05)  # between two polls
        cli.communicate("\n", timeout=PATIENCE)
        assert cli.returncode == 0


def test_signals_are_passed_on_once(server: ServerProcess, service: str) -> None:
    script = "trap 'echo got it' USR1; trap 'echo bye; exit 9' TERM; echo ready; while :; do sleep 0.02; done"
    with running(server, service, script) as cli:
        assert cli.stdout is not None
        cli.send_signal(signal.SIGUSR1)
        assert cli.stdout.readline() == "got it\n"
        cli.send_signal(signal.SIGTERM)
        assert cli.communicate(timeout=PATIENCE)[0] == "bye\n"
        assert cli.returncode == 9


def test_a_command_that_is_not_there_is_told_before_the_lock_is_taken(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    call(server, "lock", {"service": service})
    missing = run(server, service, "no-such-command")
    assert missing.returncode == 127
    assert missing.stderr == "tracker: there is no command no-such-command\n"
    (tmp_path / "file").write_text("echo not executable")
    assert run(server, service, str(tmp_path / "file")).returncode == 126


def test_a_command_that_can_not_be_executed_gives_126_and_leaves_no_lock(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\x7fELF but broken")
    file.chmod(0o755)
    done = run(server, service, str(file))
    assert done.returncode == 126
    assert done.stderr == f"tracker: {file} can't be run: Exec format error\n"
    assert locks(server, service) == []


def test_without_the_lock_the_command_does_not_run(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    call(server, "lock", {"service": service, "who": "ada"})
    mark = tmp_path / "mark"
    busy = run(server, service, "touch", str(mark))
    assert busy.returncode == 75
    assert " by ada " in busy.stderr
    assert run(server, service, "touch", str(mark), options=("--wait", "0.6s")).returncode == 124
    nowhere = run(server, service, "touch", str(mark), TRACKER_SERVER="http://127.0.0.1:1")
    assert nowhere.returncode == 69
    assert not mark.exists()


def test_a_command_whose_lock_is_released_by_force_is_ended(server: ServerProcess, service: str) -> None:
    script = "trap 'echo told to end; exit 0' TERM; echo ready; while :; do sleep 0.02; done"
    with running(server, service, script, "--ttl", "6s") as cli:
        (lock,) = locks(server, service)
        reason = "the site is down"
        call(server, f"lock/{lock['id']}/unlock", {"force": True, "reason": reason})
        out, err = cli.communicate(timeout=PATIENCE)
    assert out == "told to end\n"
    assert "tracker: the lock was lost, the command was ended: " in err
    assert reason in err
    assert cli.returncode == 75


def test_a_command_that_ends_the_event_of_its_lock_has_not_lost_it(
    server: ServerProcess, service: str
) -> None:
    attributes = {"service": service, "type": "deployment", "environment": "production"}
    event = call(server, "event", {"title": "t", "attributes": attributes | {"status": "planned"}})
    event_id = event["event"]["metadata"]["id"]
    url = f"http://127.0.0.1:{server.http_port}/api/v1alpha1/event"
    changes = [
        json.dumps({"id": event_id, "title": "t", "attributes": attributes | {"status": status}})
        for status in ("in_progress", "success")
    ]
    script = "; ".join(f"curl -sf -X PUT {url} -d {shlex.quote(change)}" for change in changes)
    options = ("--environment", "production", "--event-id", event_id)
    done = run(server, service, "sh", "-ec", script, options=options)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert locks(server, service) == []


def test_what_the_command_leaves_running_is_ended_before_the_lock_is_released(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    script = "setsid sh -c 'echo $$ > pid; exec sleep 600' > /dev/null 2>&1 & until [ -s pid ]; do :; done"
    with start(
        *("lock", "run", "--service", service, "--", "sh", "-c", script),
        environ=at(server),
        folder=tmp_path,
    ) as cli:
        _, err = cli.communicate(timeout=PATIENCE)
    assert cli.returncode == 0
    assert err == "tracker: the command left processes behind; they were ended\n"
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_output_that_outlives_the_command_for_a_moment_is_not_cut(
    server: ServerProcess, service: str
) -> None:
    done = run(server, service, "bash", "-c", "exec > >(sleep 0.3; cat); echo the last line")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the last line\n", "")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing ends the command with its guardian")
def test_a_command_dies_with_its_guardian(server: ServerProcess, service: str) -> None:
    script = "trap '' TERM; setsid sh -c 'exec sleep 600' & echo ready; while :; do sleep 0.02; done"
    with running(server, service, script) as cli:
        (guardian,) = psutil.Process(cli.pid).children()
        family = guardian.children(recursive=True)
        assert len(family) >= 2
        os.kill(guardian.pid, signal.SIGKILL)
        _, err = cli.communicate(timeout=PATIENCE)
        assert not any(each.is_running() for each in family)
    assert cli.returncode == 128 + signal.SIGKILL
    assert "guards the command" in err
    assert locks(server, service) == []


def test_a_command_is_ended_when_the_cli_is_killed(server: ServerProcess, service: str) -> None:
    with running(server, service, "echo ready; echo $$; exec sleep 600") as cli:
        assert cli.stdout is not None
        pid = int(cli.stdout.readline())
        cli.kill()
        await_gone(pid)
    (lock,) = locks(server, service)
    assert re.fullmatch(r"\d+s", lock["ttl"])  # nobody is there to release it, so it ends by itself


def test_the_time_for_an_orderly_end_is_given(server: ServerProcess, service: str, tmp_path: Path) -> None:
    script = "trap 'sleep 0.3; touch orderly; exit' TERM; echo ready; while :; do sleep 0.02; done"
    with running(server, service, f"cd {tmp_path}; {script}", "--ttl", "6s") as cli:
        cli.kill()
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "orderly").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two polls
