"""The smaller commands: health check, version, backup and restore, help."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.commands import CLEAN, at, tracker
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

from tracker import __version__
from tracker.cli.main import LOCAL, app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def create_event(server: ServerProcess) -> None:
    body = b'{"title": "t", "attributes": {"service": "s", "type": "deployment"}}'
    request = urllib.request.Request(f"http://127.0.0.1:{server.http_port}/api/v1alpha1/event", body)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.status in {200, 201}


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_printed(arguments: list[str]) -> None:
    assert tracker(*arguments).stdout == f"tracker {__version__}\n"


def test_ctrl_c_while_a_command_is_being_loaded_ends_it_without_a_word(tmp_path: Path) -> None:
    loaded = tmp_path / "typer.py"
    loaded.write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(20)\n")
    done = tracker("version", environ={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_help_names_each_command_below_its_heading() -> None:
    done = tracker("--help")
    assert done.returncode == 0
    shown = re.findall(r"^(?:  ([a-z-]+)  |(\w.*):$)", done.stdout.partition("--help")[2], re.MULTILINE)
    listed = [name for names in app.sections.items() for name in (names[0], *names[1])]
    assert [command or heading for command, heading in shown] == [name for name in listed if name != "serve"]


def commands(command: Any = None, *path: str) -> Iterator[tuple[str, Any]]:
    """Give each command by its whole name."""
    command = command or app
    if path:
        yield " ".join(path), command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, *path, name)


def test_a_query_is_taken_as_arguments_wherever_it_is_taken_as_an_option() -> None:
    taken = {
        name: {each.param_type_name for each in command.params if (each.metavar or "").startswith("QUERY")}
        for name, command in commands()
        if not name.startswith(("webhook ", "retention ", "hold "))  # whose argument is a name
    }
    assert {"event list", "event search", "event tail", "stats", "export"} <= {n for n in taken if taken[n]}
    assert all(ways in (set(), {"argument", "option"}) for ways in taken.values()), taken


SLOW = {
    *("apsw", "asyncio", "grpc", "httptools", "httpx2", "orjson"),
    *("protobuf", "protovalidate", "pymongo", "rich", "structlog", "yaml"),
}
"""What takes its time to import."""


_IMPORTED = """
import atexit, sys
from tracker.__main__ import main
atexit.register(lambda: print("imported:", *sys.modules, file=sys.stderr))
main()
"""


def imported(*arguments: str, environ: Mapping[str, str] | None = None) -> set[str]:
    """Run `tracker`, and return which modules it has imported."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *arguments],
        env=CLEAN | dict(environ or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return set(done.stderr.rpartition("imported:")[2].split())


@pytest.mark.parametrize(
    "command",
    [
        "--help",
        "--version",
        "completion bash",
        "config",
        "event list --help",
        "event create --help",
        "lock run --help",
        "catalog apply --help",
        "stats --help",
    ],
)
def test_a_command_that_asks_nobody_starts_without_what_only_others_need(command: str) -> None:
    modules = imported(*command.split())
    assert "typer" in modules
    assert not modules & SLOW


@pytest.mark.parametrize(
    ("command", "messages", "needed"),
    [
        ("event list", {"event"}, set()),
        ("event list --output json", {"event"}, set()),
        ("event list --output yaml", {"event"}, {"yaml"}),
        ("event create x --service s --type deployment", {"event"}, set()),
        ("stats", {"event"}, set()),
        ("lock list --output csv", {"lock"}, set()),
        ("catalog list --output ndjson", {"catalog"}, set()),
        ("freeze list", {"freeze"}, set()),
        ("token list", {"auth"}, set()),
        ("whoami", {"auth"}, set()),
        ("webhook list", {"webhook"}, set()),
        ("versions", {"event", "version"}, set()),
        ("dora", {"delivery", "event"}, set()),
    ],
)
def test_a_command_that_asks_a_server_imports_its_own_messages_and_what_it_prints_with(
    server: ServerProcess, command: str, messages: set[str], needed: set[str]
) -> None:
    create_event(server)
    modules = imported(*command.split(), environ=at(server))
    assert modules & SLOW - {"protovalidate"} == {"httpx2", "protobuf"} | needed
    of_calls = re.findall(r"generated\.proto\.\w+\.v1alpha1\.(\w+)_pb\b", " ".join(modules))
    assert set(of_calls) == messages


def test_a_check_of_another_server_imports_nothing_of_a_server(server: ServerProcess) -> None:
    modules = imported("doctor", "--server", at(server)["TRACKER_SERVER"])
    assert modules & SLOW - {"protovalidate"} == {"httpx2", "orjson", "protobuf"}
    assert not {name for name in modules if name.startswith(("tracker.assembly", "tracker.services"))}


def test_a_guardian_imports_what_it_needs_alone() -> None:
    script = "import sys, tracker.guardian.guard; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "tracker.guardian.protocol" in modules
    assert not modules & {"dataclasses", "inspect", "pathlib", "subprocess", "typer"}


def test_a_command_imports_no_other_command(server: ServerProcess) -> None:
    modules = imported("lock", "list", environ=at(server))
    names = {name for name in modules if name.startswith("tracker.cli.")}
    assert {name.split(".")[2] for name in names if name.count(".") > 2} == {"lock"}  # the packages of groups
    assert not names & {f"tracker.cli.{name}" for name in ("copying", "server", "stats", "versions", "view")}


def test_a_server_is_named_before_the_commands_alone_that_call_one() -> None:
    def calls(command: Any) -> bool:
        below = getattr(command, "commands", {}).values()
        return any(map(calls, below)) or any("--server" in each.opts for each in command.params)

    assert {name for name, command in app.commands.items() if not calls(command)} == LOCAL


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evnt", "No such command 'evnt'. Did you mean 'event'?"),
        ("event creat", "No such command 'creat'. Did you mean 'create'"),
        ("lock acquirre", "No such command 'acquirre'. Did you mean 'acquire'?"),
        ("--serer x event list", "No such option: --serer (Possible options: --server"),
        ("event list --outptu json", "No such option: --outptu (Possible options: --output, "),
        ("serv --hst x", "No such option: --hst (Possible options: --host)"),
        ("serv --colour red", "No such option: --colour"),
        ("--server http://x config", "config calls no server"),
        ("--server x event list", "expected an address such as http://localhost:8080, got 'x'"),
        ("--server http://[::1 event list", "expected an address such as"),
        ("lock list --server http://x:99999", "expected an address such as"),
        ("backup", "Missing argument"),
        ("config x", "unexpected extra argument"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error_that_names_the_nearest(line: str, said: str) -> None:
    done = tracker(*line.split())
    assert (done.returncode, done.stdout) == (64, "")
    assert "Traceback" not in done.stderr
    assert "Usage: " in done.stderr
    assert said in done.stderr


def test_the_server_is_named_before_the_command_or_after_it(server: ServerProcess) -> None:
    url, nowhere = at(server)["TRACKER_SERVER"], "http://127.0.0.1:9"
    for line in (f"--server {url} lock list", f"--server {nowhere} lock list --server {url}"):
        done = tracker(*line.split(), environ={"TRACKER_SERVER": nowhere})
        assert (done.returncode, done.stderr) == (0, "")


def test_a_server_that_serves_is_healthy(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "tracker.db") as server:
        where = {"HOST": "127.0.0.1", "HTTP_PORT": str(server.http_port)}
        for arguments in (["healthcheck"], ["healthcheck", "--live"]):
            done = tracker(*arguments, environ=where)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_server_that_drains_is_alive_but_not_healthy(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "tracker.db", SHUTDOWN_DRAIN="60") as server:
        where = {"HOST": "127.0.0.1", "HTTP_PORT": str(server.http_port)}
        server.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while "shutting down servers" not in server.log():
            assert time.monotonic() < deadline
        done = tracker("healthcheck", environ=where)
        assert done.returncode == 1
        assert done.stderr.startswith("tracker: /readyz answered 503: ")
        assert tracker("healthcheck", "--live", environ=where).returncode == 0


def test_no_server_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = tracker("healthcheck", environ={"HOST": "127.0.0.1", "HTTP_PORT": str(port)})
    assert done.returncode == 1
    assert done.stderr.startswith(f"tracker: no answer from http://127.0.0.1:{port}/readyz: ")


def test_a_server_that_does_not_answer_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = tracker(
            "healthcheck", "--timeout", "0.2", environ={"HOST": "127.0.0.1", "HTTP_PORT": str(port)}
        )
    assert done.returncode == 1
    assert "timed out" in done.stderr


def test_a_copy_of_a_running_server_can_be_put_back(tmp_path: Path) -> None:
    database, copy = tmp_path / "tracker.db", tmp_path / "copy.db"
    where = {"DATABASE_PATH": str(database)}
    with ServerProcess(database) as server:
        create_event(server)
        done = tracker("backup", str(copy), environ=where)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{copy}: 1 event, ")
        assert done.stderr == ""
        again = tracker("backup", str(copy), environ=where)
        assert again.returncode == 1
        assert len(again.stderr.splitlines()) == 1
        create_event(server)
        held = tracker("restore", str(copy), "--force", environ=where)
        assert held.returncode == 1
        assert len(held.stderr.splitlines()) == 1
        server.terminate()
    refused = tracker("restore", str(copy), environ=where)
    assert refused.returncode == 1
    assert refused.stderr.startswith("tracker: ")
    done = tracker("restore", str(copy), "--force", environ=where)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith(f"{database}: 1 event, ")
    assert second.startswith(f"what was there is now {database}.before-restore-")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_missing_source_is_refused_in_one_line(tmp_path: Path, command: str) -> None:
    done = tracker(command, str(tmp_path / "x.db"), "--database-path", str(tmp_path / "y.db"))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("tracker: there is no file ")


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_help_has_words_for_people_alone(name: str, command: Any) -> None:
    text = command.get_help(command.make_context(name, [], resilient_parsing=True))
    assert not re.search(r"<[^<>(]+>|\dx|x[<>]|\blist\[", text), text
    if "--status STATUS" in text:
        assert re.search(r"(start, failure, success|success, failure, error)", " ".join(text.split()))


@pytest.mark.parametrize("columns", [60, 100])
def test_help_fits_its_terminal_and_cuts_nothing(columns: int) -> None:
    for name, command in commands():
        context = command.make_context(name, [], resilient_parsing=True, terminal_width=columns)
        shown, _, _ = command.get_help(context).partition("Exit codes:")
        lines = shown.splitlines()
        assert "{" not in lines[0], name
        assert "default )" not in shown, name
        assert not [line for line in lines[1:] if line.endswith("...")], name
        wide = [line for line in lines if len(line) > columns and not re.match("  Example: |      ", line)]
        assert wide == [], name


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("event create x --service s --type nope", "incident, rpa_usage, got 'nope'\n"),
        ("event list --limit abc", "expected a whole number from 0, got 'abc'"),
        ("event tail --last 1001", "expected a whole number from 0 to 1000, got '1001'"),
        ("stats --limit 0", "expected a whole number from 1 to 100, got '0'"),
        ("demo x --seed 1.5", "expected a whole number, got '1.5'"),
        ("import x --on-error go", "expected one of stop, skip, got 'go'"),
        ("import /nowhere", "tracker: /nowhere can't be read: No such file or directory"),
        (
            "lock release x --token-file /nowhere",
            "the token can't be read: /nowhere: No such file or directory",
        ),
        ("completion tcsh", "expected one of bash, zsh, fish, got 'tcsh'"),
    ],
)
def test_errors_have_words_for_people_alone(arguments: str, told: str) -> None:
    done = tracker(*arguments.split())
    assert told in done.stderr
    assert not re.search("Errno|Value error|Input should|Traceback", done.stderr)
