"""`tracker run`: what is recorded of a command, and that the command does not notice."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.commands import CLEAN, at, on_terminal, start, tracker
from tests.cli.terminal import CTRL_C, Terminal
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

from tracker.cli.run.relay import Tail

if TYPE_CHECKING:
    from pathlib import Path

PRODUCTION = ("--environment", "production")


def run(
    server: ServerProcess, service: str, *command: str, options: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    arguments = ("run", "--service", service, *options, "--", *command)
    return tracker(*arguments, environ=at(server) | environ)


def events(server: ServerProcess, service: str) -> list[Any]:
    done = tracker("event", "list", "--query", f"service:{service}", "--output", "ndjson", environ=at(server))
    return [json.loads(line) for line in done.stdout.splitlines()]


def event(server: ServerProcess, service: str) -> Any:
    (found,) = events(server, service)
    return found


def locks(server: ServerProcess, service: str) -> list[Any]:
    done = tracker("lock", "list", "--service", service, "--output", "json", environ=at(server))
    return list(json.loads(done.stdout)["locks"])


@pytest.mark.parametrize(
    ("code", "status"), [(0, "success"), (1, "failure"), (75, "failure"), (255, "failure")]
)
def test_a_command_is_recorded_with_its_exit_code_which_is_passed_on(
    server: ServerProcess, service: str, code: int, status: str
) -> None:
    service = f"{service}-{code}"
    done = run(server, service, "sh", "-c", f"echo out; echo err >&2; exit {code}", options=PRODUCTION)
    assert (done.returncode, done.stdout, done.stderr) == (code, "out\n", "err\n")
    told = event(server, service)
    assert told["title"] == f"Deployment of {service}"
    assert told["attributes"]["status"] == status
    assert told["attributes"]["labels"] == {"exit_code": str(code)}
    assert told["attributes"]["message"].startswith(f"exited with {code} after 0")
    assert set(told["attributes"]["message"].splitlines()[1:]) == {"out", "err"}
    assert 0 < float(told["metadata"]["duration"].removesuffix("s")) < PATIENCE
    assert [entry["changeType"] for entry in told["changelog"][:2]] == ["created", "locked"]
    assert locks(server, service) == []


def test_the_event_says_what_the_options_say(server: ServerProcess, service: str) -> None:
    options = (
        *("--type", "operation", "--title", "Reindex", "--message", "every shard", "--owner", "ada"),
        *("--version", "2.4.0", "--label", "team=core", "--source", "ci", "--external-id", service),
        *("--pull-request", "https://git.example.com/1", "--priority", "p2", "--impact"),
    )
    assert run(server, service, "sh", "-c", "exit 1", options=options).returncode == 1
    assert run(server, service, "echo", "at last", options=options).returncode == 0
    told = event(server, service)
    attributes = told["attributes"]
    assert (told["title"], told["links"]["pullRequestLink"]) == ("Reindex", "https://git.example.com/1")
    assert (attributes["type"], attributes["status"], attributes["owner"]) == ("operation", "success", "ada")
    assert attributes["labels"] == {"team": "core", "exit_code": "0"}
    first, _, last = attributes["message"].partition("\n\n")
    assert first == "every shard"
    assert last.endswith("; its last lines:\nat last")
    statuses = [entry["newValue"] for entry in told["changelog"] if entry["field"] == "status"]
    assert statuses == ["failure", "start", "success"]


def test_the_command_gets_the_event_and_no_secret(server: ServerProcess, service: str) -> None:
    script = 'echo "$TRACKER_EVENT_ID/$TRACKER_LOCK_ID/$TRACKER_FENCING_TOKEN/$TRACKER_LOCK_TOKEN"'
    inherited = {"TRACKER_EVENT_ID": "of another", "TRACKER_LOCK_ID": "outer", "TRACKER_LOCK_TOKEN": "secret"}
    done = run(server, service, "sh", "-c", script, options=(), **inherited)
    assert done.stdout == f"{event(server, service)['metadata']['id']}/outer//\n"
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    done = run(server, f"{service}-2", "sh", "-c", "echo $TRACEPARENT", options=(), TRACEPARENT=parent)
    assert done.stdout.strip() == parent
    assert event(server, f"{service}-2")["attributes"]["traceId"] == parent.split("-")[1]
    done = run(server, f"{service}-3", "sh", "-c", "echo $TRACEPARENT", options=(), TRACEPARENT="none")
    assert event(server, f"{service}-3")["attributes"]["traceId"] == done.stdout.split("-")[1]
    done = run(server, service, "sh", "-c", script, options=("--lock",), **inherited)
    event_id, lock_id, fencing_token, token = done.stdout.strip().split("/")
    assert event_id in {each["metadata"]["id"] for each in events(server, service)}
    assert lock_id != "outer"
    assert int(fencing_token) > 0
    assert token == ""


def test_a_command_whose_lock_is_held_is_not_run(server: ServerProcess, service: str, tmp_path: Path) -> None:
    script = f"touch {tmp_path}/ran"
    with start(
        *("run", "--service", service, *PRODUCTION, "--owner", "ada", "--", "sh", "-c", "echo ready; read x"),
        environ=at(server),
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ready\n"
        for options, code in (((), 75), (("--lock",), 75), (("--lock", "--wait", "1s"), 124)):
            done = run(server, service, "sh", "-c", script, options=(*PRODUCTION, *options))
            assert done.returncode == code
            where = "for deployment in production by ada" if options else "in production. "
            assert f"is already locked {where}" in done.stderr
            assert "by ada" in done.stderr
        first.communicate("\n", timeout=PATIENCE)
    assert first.returncode == 0
    assert not (tmp_path / "ran").exists()
    assert event(server, service)["attributes"]["status"] == "success"


def test_under_a_lock_the_event_and_the_lock_belong_together(server: ServerProcess, service: str) -> None:
    arguments = ("run", "--service", service, *PRODUCTION, "--lock", "--ttl", "3s", "--title", "Deploy it")
    with start(*arguments, "--", "sh", "-c", "echo ready; read x", environ=at(server)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (lock,) = locks(server, service)
        told = event(server, service)
        assert lock["eventId"] == told["metadata"]["id"]
        assert (lock["ttl"], lock["reason"]) == ("3s", "Deploy it")
        assert told["attributes"]["status"] == "start"
        process.communicate("\n", timeout=PATIENCE)
    assert process.returncode == 0
    assert event(server, service)["attributes"]["status"] == "success"
    assert locks(server, service) == []


def test_under_a_lock_a_command_waits_for_its_turn(server: ServerProcess, service: str) -> None:
    with start(
        *("run", "--service", service, *PRODUCTION, "--", "sh", "-c", "echo ready; read x"),
        environ=at(server),
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ready\n"
        arguments = (
            "run",
            "--service",
            service,
            *PRODUCTION,
            "--lock",
            "--wait",
            "30s",
            "--",
            "echo",
            "mine",
        )
        with start(*arguments, environ=at(server)) as second:
            assert second.stderr is not None
            assert "waiting: held by" in second.stderr.readline()
            first.communicate("\n", timeout=PATIENCE)
            printed, _ = second.communicate(timeout=PATIENCE)
    assert (second.returncode, printed) == (0, "mine\n")
    assert len(events(server, service)) == 2


def test_a_command_whose_lock_is_lost_is_ended_and_recorded_as_failed(
    server: ServerProcess, service: str
) -> None:
    arguments = ("run", "--service", service, *PRODUCTION, "--lock", "--ttl", "2s")
    with start(*arguments, "--", "sh", "-c", "echo ready; sleep 60", environ=at(server)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        (lock,) = locks(server, service)
        tracker("lock", "release", lock["id"], "--force", "--reason", "test", environ=at(server))
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75
    assert "the lock was lost" in told
    attributes = event(server, service)["attributes"]
    assert attributes["status"] == "failure"
    assert attributes["message"].startswith("ended, since its lock was lost, after ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_the_commands_and_the_end_is_recorded(
    server: ServerProcess, service: str, number: signal.Signals
) -> None:
    script = 'trap "echo told; exit 7" TERM INT; echo ready; while :; do sleep 0.1; done'
    service = f"{service}-{number}"
    with start("run", "--service", service, "--", "bash", "-c", script, environ=at(server)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        printed, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, printed) == (7, "told\n")
    assert event(server, service)["attributes"]["labels"] == {"exit_code": "7"}


def test_a_command_that_a_signal_ends_is_recorded_as_shells_count_it(
    server: ServerProcess, service: str
) -> None:
    assert run(server, service, "sh", "-c", "kill -KILL $$").returncode == 137
    assert event(server, service)["attributes"]["message"].startswith("ended by signal 9 after ")


def test_ctrl_c_on_a_terminal_ends_the_command_and_is_recorded(server: ServerProcess, service: str) -> None:
    arguments = ("run", "--service", service, "--", "sh", "-c", "echo rea''dy; exec sleep 60")
    with Terminal(CLEAN | at(server)) as terminal:
        terminal.type(f"{shlex.join([sys.executable, '-m', 'tracker', *arguments])}\n".encode())
        terminal.expect("\nready")
        terminal.type(CTRL_C)
        terminal.expect("shell> ")
    attributes = event(server, service)["attributes"]
    assert attributes["message"].startswith("ended by signal 2 after ")
    assert "last lines" not in attributes["message"]


def test_a_terminal_is_the_commands_own(server: ServerProcess, service: str) -> None:
    script = "test -t 0 && test -t 1 && test -t 2 && stty size"
    shown = on_terminal("run", "--service", service, "--", "sh", "-c", script, columns=77, environ=at(server))
    assert shown == "50 77\n"


def test_output_is_passed_on_whole_in_its_order_and_to_nobody_who_has_enough(
    server: ServerProcess, service: str
) -> None:
    script = "for i in $(seq 20000); do echo out $i; echo err $i >&2; done"
    command = f'"{sys.executable}" -m tracker run --service {service} --'
    both = subprocess.run(
        ["bash", "-c", f"{command} bash -c '{script}' 2>&1"],
        env=CLEAN | at(server),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    expected = [line for number in range(1, 20_001) for line in (f"out {number}", f"err {number}")]
    assert both.stdout.splitlines() == expected
    assert event(server, service)["attributes"]["message"].splitlines()[1:] == expected[-20:]
    enough = subprocess.run(
        ["bash", "-c", f"{command} yes | head -n 1; echo ${{PIPESTATUS[0]}}"],
        env=CLEAN | at(server),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert enough.stdout == "y\n141\n"


def test_no_output_is_kept_where_none_is_wanted(server: ServerProcess, service: str) -> None:
    assert run(server, service, "echo", "said", options=("--tail", "0")).stdout == "said\n"
    assert "said" not in event(server, service)["attributes"]["message"]


def test_a_command_that_is_not_there_is_not_recorded(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    assert run(server, service, "no-such-command").returncode == 127
    (tmp_path / "script").write_text("")
    assert run(server, service, str(tmp_path / "script")).returncode == 126
    assert events(server, service) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--wait", "1s"), "need --lock"),
        (("--lock", "--offline-ok"), "only a server gives a lock"),
        (("--lock", "--ttl", "1s"), "--ttl must be 2s or longer"),
        (("--environment", "moon"), "expected one of development"),
        (("--external-id", "7"), "source is required"),
    ],
)
def test_what_is_wrong_is_told_in_words(
    server: ServerProcess, service: str, options: tuple[str, ...], told: str
) -> None:
    done = run(server, service, "echo", "never", options=options)
    assert (done.returncode, done.stdout) == (64, "")
    assert told in done.stderr


def test_without_a_server_a_command_is_not_run_unless_that_is_ok(service: str) -> None:
    nowhere = {"TRACKER_SERVER": "http://127.0.0.1:9"}
    arguments = ("run", "--service", service, "--", "echo", "never")
    done = tracker(*arguments, environ=nowhere)
    assert (done.returncode, done.stdout) == (69, "")
    first, last = done.stderr.splitlines()
    assert first == "tracker: no answer from http://127.0.0.1:9: Connection refused; trying again"
    assert last.endswith("Connection refused; --server or TRACKER_SERVER names another")


def test_a_command_that_ran_without_a_server_is_recorded_at_its_end_if_there_is_one(
    service: str, tmp_path: Path
) -> None:
    server = ServerProcess(tmp_path / "tracker.db")
    arguments = ("run", "--service", service, *PRODUCTION, "--offline-ok", "--", "sh", "-c")
    script = 'echo "id: $TRACKER_EVENT_ID"; read x; exit 3'
    with start(*arguments, script, environ=at(server) | {"XDG_STATE_HOME": str(tmp_path)}) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "id: \n"
        with server:
            _, told = process.communicate("\n", timeout=PATIENCE)
            assert process.returncode == 3
            assert "the command runs all the same, and is recorded at its end or later" in told
            attributes = event(server, service)["attributes"]
            assert (attributes["status"], attributes["labels"]) == ("failure", {"exit_code": "3"})
            assert attributes["message"].endswith("its last lines:\nid:")
            assert attributes["startDate"] < attributes["endDate"]
            assert locks(server, service) == []
    assert list(tmp_path.glob("tracker/unsent/*.json")) == []


def test_a_server_that_is_away_at_the_end_is_told_once_it_is_back(service: str, tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "tracker.db") as server:
        arguments = ("run", "--service", service, *PRODUCTION, "--", "sh", "-c", "echo ready; read x; exit 3")
        with start(*arguments, environ=at(server)) as process:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == "ready\n"
            server.kill()
            process.stdin.write("\n")
            process.stdin.flush()
            server.start()
            process.communicate(timeout=PATIENCE)
        assert process.returncode == 3
        assert event(server, service)["attributes"]["status"] == "failure"


def test_an_end_that_can_not_be_recorded_is_kept_and_the_exit_code_too(service: str, tmp_path: Path) -> None:
    script = "from tracker.cli.run import recording; recording._PATIENCE = 0.5"
    with ServerProcess(tmp_path / "tracker.db") as server:
        environ = at(server) | {"XDG_STATE_HOME": str(tmp_path)}
        command = (*("run", "--service", service, "--", "sh"), "-c", "echo $TRACKER_EVENT_ID; read x; exit 3")
        with subprocess.Popen(
            [sys.executable, "-c", f"{script}; from tracker.cli.main import main; main()", *command],
            env=CLEAN | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            event_id = process.stdout.readline().strip()
            server.kill()
            _, told = process.communicate("\n", timeout=PATIENCE)
        assert process.returncode == 3
        assert "the end of the command was not recorded: no answer from " in told
        server.start()
        done = tracker("event", "get", event_id, "--output", "json", environ=environ)
        assert "sent 1 kept record to " in done.stderr
        assert json.loads(done.stdout)["event"]["attributes"]["status"] == "failure"


def test_a_command_ends_with_who_started_it(server: ServerProcess, service: str) -> None:
    arguments = ("run", "--service", service, "--", "sh", "-c", "echo $$; sleep 60")
    with start(*arguments, environ=at(server)) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
        deadline = time.monotonic() + PATIENCE
        while os.path.exists(f"/proc/{pid}"):  # noqa: PTH110 - of Linux
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two looks


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07and \x1b(Bplain\n", "red and plain"),
        (b"10%\r50%\r100%\r\nnext\r\n", "100%\nnext"),
        (b"a\x00b\x08c\xff\n\n\n", "abc\N{REPLACEMENT CHARACTER}"),
        (b"push to https://ada:s3cret@git.example.com\n", "push to https://***@git.example.com"),
        (b"".join(b"%d\n" % number for number in range(100)), "97\n98\n99"),
        (b"", ""),
    ],
)
def test_the_last_lines_are_plain_text_without_credentials(written: bytes, kept: str) -> None:
    tail = Tail(3)
    for place in range(len(written)):
        tail.add(written[place : place + 1])
    assert tail.text() == kept


def test_the_last_lines_are_bounded_however_much_is_written() -> None:
    tail = Tail(20)
    for number in range(2_000):
        tail.add(b"%04d %s\n" % (number, b"x" * 1_000))
    text = tail.text()
    assert len(text.encode()) == 4_096
    assert text.startswith("…")
    assert text.splitlines()[-1].startswith("1999 x")


def test_help_names_the_exit_codes() -> None:
    assert "124    the lock was not free within --wait" in tracker("run", "--help").stdout
