"""`tracker lock acquire`, `renew`, `release`, `list` and `show`."""

from __future__ import annotations

import json
import re
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.commands import at, on_terminal, start, tracker
from tests.patience import PATIENCE
from tests.server_process import ServerProcess
from tests.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

COMMANDS = ("acquire", "renew", "release", "list", "show", "run")


def run(
    server: ServerProcess, *arguments: str, code: int = 0, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run `tracker lock` and check what it exits with."""
    done = tracker("lock", *arguments, environ=at(server) | environ)
    assert done.returncode == code, done.stderr
    return done


def as_json(server: ServerProcess, *arguments: str, code: int = 0, **environ: str) -> Any:
    """Run `tracker lock` for a script, and return the document that it prints."""
    return json.loads(run(server, *arguments, "--output", "json", code=code, **environ).stdout)


def fields(text: str) -> dict[str, str]:
    """Return what a lock is printed as."""
    return dict(re.split(r" {2,}", line, maxsplit=1) for line in text.splitlines())


def test_a_lock_is_taken_shown_renewed_and_released(server: ServerProcess, service: str) -> None:
    taken = fields(
        run(
            server,
            *("acquire", "--service", service, "--environment", "prod", "--ttl", "1m"),
            *("--reason", "release 2", "--who", "ada", "--label", "run=7", "--label", "a=b=c"),
        ).stdout
    )
    assert len(taken.pop("token")) >= 43
    shown = fields(run(server, "show", taken["id"]).stdout)
    assert shown == taken
    assert shown["who"] == "ada"
    assert shown["reason"] == "release 2"
    assert shown["labels"] == "a=b=c, run=7"
    assert shown["resource"] == "deployment"
    assert run(server, "release", taken["id"], code=1).stderr.startswith("tracker: lock ")


def test_the_token_of_a_lock_renews_and_releases_it_also_twice(server: ServerProcess, service: str) -> None:
    taken = as_json(server, "acquire", "--service", service, "--ttl", "1m")
    lock_id, token = taken["lock"]["id"], taken["lockToken"]
    renewed = as_json(server, "renew", lock_id, "--ttl", "2m", TRACKER_LOCK_TOKEN=token)
    assert (renewed["lock"]["ttl"], renewed["lock"]["renewals"]) == ("120s", "1")
    assert run(server, "release", "--token", token, TRACKER_LOCK_ID=lock_id).stdout == f"released {lock_id}\n"
    again = run(server, "release", lock_id, TRACKER_LOCK_TOKEN=token)
    assert again.stdout == f"{lock_id} had been released before\n"
    lost = as_json(server, "renew", lock_id, code=75, TRACKER_LOCK_TOKEN=token)
    assert lost["error"]["reason"] == "LOCK_LOST"


def test_asking_again_with_a_token_gives_the_same_lock_and_does_not_show_the_token(
    server: ServerProcess, service: str
) -> None:
    taken = as_json(server, "acquire", "--service", service)
    again = as_json(server, "acquire", "--service", service, TRACKER_LOCK_TOKEN=taken["lockToken"])
    assert again["lock"]["id"] == taken["lock"]["id"]
    assert again["replayed"] is True
    assert "lockToken" not in again


def test_a_token_file_is_made_for_its_owner_alone_and_serves_the_release(
    server: ServerProcess, service: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "token")
    taken = fields(run(server, "acquire", "--service", service, "--token-file", file).stdout)
    assert "token" not in taken
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600
    again = fields(run(server, "acquire", "--service", service, "--token-file", file).stdout)
    assert again["id"] == taken["id"]
    run(server, "release", taken["id"], "--token-file", file, "--token", "another", code=64)
    run(server, "release", taken["id"], "--token-file", file)


def test_a_held_lock_is_refused_and_its_holder_named(server: ServerProcess, service: str) -> None:
    run(server, "acquire", "--service", service, "--who", "ada", "--reason", "night shift")
    done = run(server, "acquire", "--service", service, code=75)
    assert done.stdout == ""
    assert re.fullmatch(r"tracker: .* by ada .*night shift.*\n", done.stderr)
    error = as_json(server, "acquire", "--service", service, code=75)["error"]
    assert (error["code"], error["reason"]) == ("ALREADY_EXISTS", "LOCK_HELD")
    assert (error["metadata"]["who"], error["metadata"]["reason"]) == ("ada", "night shift")


def test_who_waits_learns_of_the_holder_and_gets_the_lock_when_it_is_free(
    server: ServerProcess, service: str
) -> None:
    taken = as_json(server, "acquire", "--service", service, "--who", "ada", "--reason", "night shift")
    waiting = ("lock", "acquire", "--service", service, "--wait", "1m", "--output", "json")
    with start(*waiting, environ=at(server)) as waiter:
        assert waiter.stderr is not None
        told = waiter.stderr.readline()
        assert told.startswith("tracker: waiting: held by ada (night shift) since ")
        assert told.endswith("; you are next\n")
        run(server, "release", taken["lock"]["id"], TRACKER_LOCK_TOKEN=taken["lockToken"])
        out, _ = waiter.communicate(timeout=PATIENCE)
    assert waiter.returncode == 0
    assert json.loads(out)["lock"]["service"] == service


def test_waiting_in_vain_has_an_exit_code_of_its_own(server: ServerProcess, service: str) -> None:
    run(server, "acquire", "--service", service)
    error = as_json(server, "acquire", "--service", service, "--wait", "0.7s", code=124)["error"]
    assert error["reason"] == "LOCK_WAIT_TIMEOUT"


def test_a_wait_outlasts_a_server_that_restarts(tmp_path: Path, service: str) -> None:
    with ServerProcess(tmp_path / "tracker.db") as server:
        taken = as_json(server, "acquire", "--service", service)
        with start("lock", "acquire", "--service", service, "--wait", "1m", environ=at(server)) as waiter:
            assert waiter.stderr is not None
            assert "waiting: held by" in waiter.stderr.readline()
            server.kill()
            assert "no answer from" in waiter.stderr.readline()
            with server:
                run(server, "release", taken["lock"]["id"], TRACKER_LOCK_TOKEN=taken["lockToken"])
                waiter.communicate(timeout=PATIENCE)
                assert waiter.returncode == 0


def test_a_lost_answer_leads_to_one_lock(server: ServerProcess, service: str) -> None:
    with TcpProxy(server.http_port) as proxy:
        proxy.lose_next_answer()
        where = {"TRACKER_SERVER": f"http://127.0.0.1:{proxy.port}"}
        done = tracker("lock", "acquire", "--service", service, "--output", "json", environ=where)
        assert done.returncode == 0, done.stderr
        answer = json.loads(done.stdout)
        assert answer["replayed"] is True
        proxy.lose_next_answer()
        token = {"TRACKER_LOCK_TOKEN": answer["lockToken"]}
        released = tracker("lock", "release", answer["lock"]["id"], environ=where | token)
        assert released.returncode == 0, released.stderr
        assert released.stdout == f"released {answer['lock']['id']}\n"


def test_a_forced_release_needs_a_reason(server: ServerProcess, service: str) -> None:
    lock_id = as_json(server, "acquire", "--service", service)["lock"]["id"]
    assert "--reason" in run(server, "release", lock_id, "--force", code=64).stderr
    done = run(server, "release", lock_id, "--force", "--reason", "its pipeline is gone")
    assert done.stdout == f"released {lock_id} by force\n"


def test_a_list_in_a_pipe_has_a_line_for_each_lock_and_no_colours(
    server: ServerProcess, service: str
) -> None:
    for environment in ("dev", "prod"):
        options = ("--environment", environment, "--reason", "a reason \x1b[31m\nof several [red]lines " * 5)
        run(server, "acquire", "--service", service, *options)
    lines = run(server, "list", "--service", service, FORCE_COLOR="").stdout.splitlines()
    assert [line.split()[:2] for line in lines if service in line] == [[service, "prod"], [service, "dev"]]
    assert all("[red]lines" in line for line in lines if service in line)
    assert "\x1b" not in "".join(lines)
    found = as_json(server, "list", "--service", service, "--environment", "production")
    assert [lock["environment"] for lock in found["locks"]] == ["prod"]
    assert found["totalCount"] == 1


def test_a_narrow_terminal_has_a_lock_on_each_line(server: ServerProcess, service: str) -> None:
    run(server, "acquire", "--service", service, "--environment", "prod")
    command = ("lock", "list", "--service", service)
    assert "SERVICE" in on_terminal(*command, columns=400, environ=at(server))
    narrow = on_terminal(*command, columns=60, environ=at(server))
    assert len(narrow.splitlines()) == 2
    assert re.search(rf"^{service[:9]}\S* +prod ", narrow, re.MULTILINE)


def test_an_id_is_taken_as_short_as_a_table_has_it(server: ServerProcess, service: str) -> None:
    taken = as_json(server, "acquire", "--service", service)
    screen = on_terminal("lock", "list", "--service", service, columns=60, environ=at(server))
    short = screen.splitlines()[-1].split()[-1]
    assert as_json(server, "show", short)["lock"]["id"] == taken["lock"]["id"]
    released = run(server, "release", short, "--token", taken["lockToken"])
    assert released.stdout == f"released {taken['lock']['id']}\n"


def test_nothing_held_is_said_so(server: ServerProcess, service: str) -> None:
    assert run(server, "list", "--service", service).stdout == "no locks are held\n"


def test_an_unknown_lock_fails(server: ServerProcess) -> None:
    unknown = "0199f0c2-b7d2-7a10-a0f3-c1d2e4b5a697"
    done = run(server, "show", unknown, code=1)
    assert done.stderr == f"tracker: no lock found in tracker for id {unknown}\n"
    assert as_json(server, "show", unknown, code=1)["error"]["reason"] == "LOCK_NOT_FOUND"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_documents_its_exit_codes(command: str) -> None:
    text = tracker("lock", command, "--help").stdout
    for code in (0, 1, 64, 69, 75, 124):
        assert re.search(rf"^ +{code} ", text, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["acquire"],
        ["acquire", "--service", "s", "--ttl", "soon"],
        ["acquire", "--service", "s", "--label", "x"],
        ["acquire", "--service", "s", "--server", "localhost:8080"],
        ["release"],
        ["run", "--service", "s"],
        ["run", "--service", "s", "--ttl", "1s", "--", "true"],
        ["run", "--service", "s", "--grace", "20s", "--", "true"],
        ["frobnicate"],
        ["--frobnicate"],
    ],
)
def test_a_wrong_command_line_is_a_usage_error(server: ServerProcess, arguments: list[str]) -> None:
    done = run(server, *arguments, code=64)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_no_server_is_said_at_once_and_ends_with_an_exit_code_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = {"TRACKER_SERVER": f"http://127.0.0.1:{port}"}
    done = tracker("lock", "list", "--output", "json", environ=where)
    assert done.returncode == 69
    said = f"tracker: no answer from http://127.0.0.1:{port}: Connection refused; "
    hint = "--server or TRACKER_SERVER names another"
    assert done.stderr.splitlines() == [f"{said}trying again", f"{said}{hint}"]
    assert json.loads(done.stdout)["error"]["reason"] == "UNREACHABLE"
