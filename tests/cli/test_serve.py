"""`tracker serv`: how it starts, refuses to start, and ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import CLEAN, tracker
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from pathlib import Path

FREE = {"HOST": "127.0.0.1", "GRPC_PORT": "0", "HTTP_PORT": "0", "METRICS_PORT": "0", "LOG_FORMAT": "json"}


def test_a_server_takes_its_settings_from_the_environment_and_stops_when_told(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "tracker.db", DB_HOST="db.example.com") as server:
        assert server.terminate() == 0
        lines = [json.loads(line) for line in server.log().splitlines()]
    messages = [line["msg"] for line in lines]
    assert messages[0] == "environment variable has no effect"
    assert (lines[0]["level"], lines[0]["variable"]) == ("warning", "DB_HOST")
    assert [m for m in messages if "listening on" in m] == [
        f"gRPC server listening on :{server.grpc_port}",
        f"HTTP server listening on :{server.http_port}",
        f"metrics server listening on :{server.metrics_port}",
    ]
    assert messages[-1] == "servers stopped"


@pytest.mark.parametrize("setting", ["GRPC_PORT", "HTTP_PORT", "METRICS_PORT"])
def test_a_port_that_is_taken_is_named_with_its_setting(tmp_path: Path, setting: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = tracker("serv", folder=tmp_path, environ=FREE | {setting: str(port)})
    assert done.returncode == 1
    assert done.stderr == (
        f"tracker: cannot listen on 127.0.0.1:{port}: Address already in use; "
        f"stop what listens there, or set {setting} to another port\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_two_settings_with_one_port_leave_no_file(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = tracker("serv", folder=tmp_path, environ=FREE | {"GRPC_PORT": port, "HTTP_PORT": port})
    assert done.returncode == 1
    assert done.stderr.startswith(f"tracker: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEPLOYMENT_APPROVALS", "prodution=2"),
        ("DEPLOYMENT_ORDER", "preprod,prodution"),
        ("DELIVERY_ENVIRONMENTS", "prodution"),
    ],
)
def test_an_environment_that_events_do_not_have_is_refused_where_it_would_switch_a_rule_off(
    tmp_path: Path, name: str, value: str
) -> None:
    problem = f"{name}: expected environments of events, got 'prodution'; did you mean production?"
    started = tracker("serv", folder=tmp_path, environ=FREE | {name: value})
    assert (started.returncode, started.stderr) == (1, f"tracker: {problem}\n")


def test_an_address_of_another_machine_is_refused_with_the_setting(tmp_path: Path) -> None:
    environ = FREE | {"HOST": "192.0.2.1", "AUTH_ANONYMOUS_PERMISSIONS": ""}
    done = tracker("serv", folder=tmp_path, environ=environ)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("tracker: cannot listen on 192.0.2.1:")
    assert "set HOST or " in line


@pytest.mark.parametrize("host", ["::", "0.0.0.0", "192.0.2.1"])
def test_a_server_for_other_machines_says_what_it_allows_whom(tmp_path: Path, host: str) -> None:
    done = tracker("serv", folder=tmp_path, environ=FREE | {"HOST": host})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"tracker: HOST={host} lets other machines call this server")
    assert {"AUTH_ANONYMOUS_PERMISSIONS:", "`all`,", "--allow"} < set(line.split())
    assert not list(tmp_path.iterdir())


def test_the_first_start_with_access_control_prints_a_token_once(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "tracker.db", AUTH_ANONYMOUS_PERMISSIONS="") as server:
        ((token,),) = [re.findall(r"(trk_\S+)", server.log())]
        url = f"http://127.0.0.1:{server.http_port}/api/v1alpha1/auth/api-keys"
        request = urllib.request.Request(url, headers={"authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert [key["name"] for key in json.load(answer)["apiKeys"]] == ["administrator"]
        assert server.terminate() == 0
        server.start()
        assert server.log().count("trk_") == 1


def test_a_store_that_another_server_has_open_is_refused_in_one_line(tmp_path: Path) -> None:
    database = tmp_path / "tracker.db"
    with ServerProcess(database):
        done = tracker("serv", environ=FREE | {"DATABASE_PATH": str(database)})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert str(database) in line
    assert "another" in line


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("mongodb://ada:s3cr3t@127.0.0.1:1/?serverSelectionTimeoutMS=100", "can't be reached"),
        ("mongodb://ada:s3cr3t@:70000", "is not the address of a MongoDB database"),
        ("mongodb://ada:s3c%r3t@127.0.0.1", "is not the address of a MongoDB database"),
        ("postgres://ada:s3cr3t@127.0.0.1", "is not the address of a MongoDB database"),
        ("mongodb://ada:s3cr3t@127.0.0.1/?authMechanism=s3cr3t", "MONGO_URI can't be used"),
    ],
)
def test_a_database_that_cannot_be_had_is_said_in_one_line_without_secrets(
    tmp_path: Path, uri: str, said: str
) -> None:
    done = tracker("serv", folder=tmp_path, environ=FREE | {"MONGO_URI": uri})
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("tracker: ")
    assert "MONGO_URI" in line
    assert said in line
    assert "s3c" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_serve_is_another_name_of_serv(tmp_path: Path) -> None:
    done = tracker("serve", "--grpc-port", "x", folder=tmp_path)
    assert done.returncode == 2
    assert "grpc_port: expected a port" in done.stderr


@pytest.mark.parametrize("closed", [">&-", ">/dev/full", "| true"])
def test_a_server_whose_output_is_lost_goes_on(tmp_path: Path, closed: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = f"exec {sys.executable} -m tracker serv {closed}"
    environ = CLEAN | FREE | {"HTTP_PORT": str(port)}
    # Of a pipe, the shell that waits for both its sides is in the way of the signal: signal the group.
    with subprocess.Popen(["sh", "-c", command], env=environ, cwd=tmp_path, start_new_session=True) as shell:
        deadline = time.monotonic() + PATIENCE
        while tracker("healthcheck", environ={"HOST": "127.0.0.1", "HTTP_PORT": str(port)}).returncode != 0:
            assert time.monotonic() < deadline
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait(PATIENCE)
    done = tracker("healthcheck", environ={"HOST": "127.0.0.1", "HTTP_PORT": str(port)})
    assert done.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_any_of_the_signals_stops_a_server(tmp_path: Path, number: signal.Signals) -> None:
    with ServerProcess(tmp_path / "tracker.db") as server:
        server.process.send_signal(number)
        assert server.process.wait(PATIENCE) == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_a_server_at_once(tmp_path: Path, second: signal.Signals) -> None:
    with ServerProcess(tmp_path / "tracker.db", SHUTDOWN_DRAIN="60") as server:
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while "shutting down servers" not in server.log():
            assert time.monotonic() < deadline
        server.process.send_signal(second)
        assert server.process.wait(PATIENCE) == 128 + second
        assert "Traceback" not in server.log()


def test_a_terminal_that_closes_says_so_twice_and_the_server_still_ends_as_it_should(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "tracker.db", SHUTDOWN_DRAIN="0.5") as server:
        for _ in range(2):
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.1)  # signals that wait are one
        assert server.process.wait(PATIENCE) == 0
        assert "servers stopped" in server.log()


def test_nohup_keeps_a_server_from_ending_with_its_terminal(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        command = ["nohup", sys.executable, "-m", "tracker", "serv"]
        process = subprocess.Popen(command, env=CLEAN | FREE, cwd=tmp_path, stdout=file, stderr=file)
    deadline = time.monotonic() + PATIENCE
    while "metrics server listening" not in log.read_text():
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_a_signal_while_a_server_starts_ends_it_without_a_traceback(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        command = [sys.executable, "-m", "tracker", "serv"]
        process = subprocess.Popen(command, env=CLEAN | FREE, cwd=tmp_path, stdout=file, stderr=file)
    deadline = time.monotonic() + PATIENCE
    while "store opened" not in log.read_text():
        assert time.monotonic() < deadline
    process.terminate()
    assert process.wait(PATIENCE) in {0, 130}
    assert "Traceback" not in log.read_text()
