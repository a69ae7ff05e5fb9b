"""What a shell completes."""

from __future__ import annotations

import json
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import CLEAN, at, tracker
from tests.cli.terminal import Terminal
from tests.forks import forks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.server_process import ServerProcess

COMMANDS = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i", "-C", "function fish_prompt; printf 'shell> '; end"),
}
SET_UP = {
    "bash": "source <(tracker completion bash)",
    "zsh": "unsetopt beep; autoload -Uz compinit; compinit -u -D; source <(tracker completion zsh)",
    "fish": "tracker completion fish | source",
}
ANSWERS = {
    "bash": """tracker() { printf '<%s>' "$@"; echo '|'; }""",
    "zsh": """tracker() { printf '<%s>' "$@"; echo '|'; }""",
    "fish": "function tracker; printf '<%s>' $argv; echo '|'; end",
}
"""Defines a command at the prompt that prints its arguments; what the script calls stays the program."""

STRANGE = {
    "my": "my service",
    "chec\\'": "chec'k\"out",
    "a:": "a:b=c",
    "host@x": "host@x:1",
    r"\$": "$(touch executed)`touch executed`",
    "back": r"back\$(touch executed)\`touch executed`",
    "é": "é*?[x]~",
}
"""Beginnings of values that mean something to a shell."""
STRANGE_TITLE = "[/b] $(x)\\`y`: " + "z" * 99


def lines(typed: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return what the script of a shell gets for a line."""
    asked = {
        "_TRACKER_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": f"tracker {typed}",
        "COLUMNS": "9999",
    }
    done = tracker(environ=asked | dict(environ or {}))
    assert done.stderr == ""
    return list(filter(None, done.stdout.splitlines()))


def values(typed: str, environ: Mapping[str, str] | None = None) -> list[str]:
    return [line.partition("\t")[0] for line in lines(typed, environ)]


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("", {"serv", "event", "lock", "catalog", "stats", "completion"}),
        ("event cre", {"create"}),
        ("event list --out", {"--output"}),
        ("event list --output ", {"text", "json", "ndjson", "yaml", "csv"}),
        ("event get x --output ", {"text", "json", "yaml"}),
        ("stats --output c", {"csv"}),
        ("event create Deploy --status s", {"start", "success", "snapshot"}),
        ("event update x --environment p", {"preproduction", "production"}),
        ("event create Deploy --type d", {"deployment", "drift"}),
        ("event create Deploy --priority P1", {"P1"}),
        ("lock run --environment pro", {"production"}),
        ("catalog compliance --type lib", {"library"}),
        ("completion ", {"bash", "zsh", "fish"}),
        ("event list serv", {"service:"}),
        ("event list 'env:production -serv", {"env:production -service:"}),
        ("event list --query 'status:fail", {"status:failure"}),
        ("event list --query 'status:(failure OR err", {"status:(failure OR error"}),
        ("stats -- -type:dep", {"-type:deployment"}),
        ("export has:tick", {"has:ticket"}),
        ("event search 'text:pay", set()),
    ],
)
def test_commands_options_values_and_queries_are_completed(typed: str, completed: set[str]) -> None:
    found = values(typed)
    assert completed <= set(found) if completed else found == []
    beginning = typed.rpartition("'")[2] if "'" in typed else typed.rpartition(" ")[2]
    assert all(each.startswith(beginning) for each in found)


def test_descriptions_stay_on_their_lines() -> None:
    found = lines("event create x --")
    assert all(line.startswith("--") for line in found)
    assert any(len(line) > 100 for line in found)


@pytest.fixture(params=COMMANDS)
def shell(request: pytest.FixtureRequest) -> str:
    if shutil.which(request.param) is None:
        pytest.skip(f"LEFT OUT: completion in {request.param}, for want of it")
    return str(request.param)


@pytest.fixture
def screen(shell: str, filled: ServerProcess, tmp_path: Path) -> Iterator[Terminal]:
    environ = CLEAN | forks().command(tmp_path) | at(filled) | {"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    with Terminal(environ, COMMANDS[shell]) as screen:
        screen.type(f"cd {tmp_path}; {SET_UP[shell]}; {ANSWERS[shell]}; echo rea''dy\n".encode())
        screen.expect("ready\n")
        yield screen


def completed(screen: Terminal, typed: str) -> list[str]:
    """Return the arguments of a command whose last word was completed; a busy machine gets more attempts."""
    given = ""
    for _ in range(3):
        screen.type(f"tracker {typed}\t\n".encode())
        given = screen.expect(r"\n\r?(<.*>)\|")[1]
        if not given.endswith(f"{typed.rsplit(' ', maxsplit=1)[-1]}>"):
            break
    return given[1:-1].split("><")


def test_a_shell_completes_at_its_prompt(screen: Terminal) -> None:
    assert completed(screen, "event cre") == ["event", "create"]
    assert completed(screen, "event list --output y") == ["event", "list", "--output", "yaml"]
    assert completed(screen, "event list --output=y") == ["event", "list", "--output=yaml"]
    assert completed(screen, "event create x --label team=co")[-1] == "team=core"
    assert completed(screen, "event list 'has:ticket status:fail")[-1] == "has:ticket status:failure"


def test_values_of_a_server_reach_the_command_as_they_are(screen: Terminal, tmp_path: Path) -> None:
    for beginning, value in STRANGE.items():
        assert completed(screen, f"event create x --service {beginning}")[-1] == value
    for quote in "'\"":
        assert completed(screen, f"event create x --service {quote}back")[-1] == STRANGE["back"]
        assert completed(screen, f"event create x --service={quote}my")[-1] == "--service=my service"
    assert not (tmp_path / "executed").exists()


@pytest.fixture(scope="module")
def filled(server: ServerProcess) -> ServerProcess:
    commands = [
        ("event create Deploy --service checkout --type deployment --owner ada --label team=core", ()),
        ("event create Scale --service search --type operation --owner ben --label tier=1", ()),
        ("lock acquire --service checkout", ()),
        *(("event create --type drift", (STRANGE_TITLE, "--service", each)) for each in STRANGE.values()),
    ]
    for command, more in commands:
        assert tracker(*command.split(), *more, environ=at(server)).returncode == 0
    return server


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("event list --service chec", {"checkout", "chec'k\"out"}),
        ("event create x --owner a", {"ada"}),
        ("lock acquire --service s", {"search"}),
        ("event create x --label t", {"team=", "tier="}),
        ("event create x --label team=", {"team=core"}),
        ("stats --by label.", {"label.team", "label.tier"}),
        ("stats --by serv", {"service"}),
        ("event list owner:a", {"owner:ada"}),
        ("event list 'label.team:c", {"label.team:core"}),
        ("event list 'service:\"my", {'service:"my service"'}),
    ],
)
def test_values_of_a_server_are_completed(filled: ServerProcess, typed: str, completed: set[str]) -> None:
    found = values(typed, at(filled))
    assert set(found) == completed


def test_ids_of_a_server_are_completed(filled: ServerProcess) -> None:
    for noun, listed in (("event get", "events"), ("lock show", "locks")):
        command = (noun.partition(" ")[0], "list", "--output", "json")
        records = json.loads(tracker(*command, environ=at(filled)).stdout)[listed]
        ids = {each["id"] if listed == "locks" else each["metadata"]["id"] for each in records}
        assert set(values(f"{noun} ", at(filled))) == ids
        server = f"--server {at(filled)['TRACKER_SERVER']}"
        assert set(values(f"{server} {noun} ", {"TRACKER_SERVER": "http://127.0.0.1:9"})) == ids


def test_a_script_that_does_not_quote_values_gets_none_of_a_server(filled: ServerProcess) -> None:
    asked = {"_TRACKER_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "tracker event list --service "}
    assert tracker(environ=asked | at(filled)).stdout == "_files\n"


@pytest.mark.parametrize("answers", [False, True])
def test_a_server_that_is_away_completes_nothing_and_says_nothing(*, answers: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if answers else 9
        assert values("event get ", {"TRACKER_SERVER": f"http://127.0.0.1:{port}"}) == []


def test_a_shell_that_is_unknown_is_refused() -> None:
    done = tracker("completion", "tcsh")
    assert done.returncode == 64
    assert "expected one of bash, zsh, fish, got 'tcsh'" in done.stderr
