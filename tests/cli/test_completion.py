"""What a shell completes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.commands import CLEAN, at, tracker
from tests.cli.terminal import Terminal

if TYPE_CHECKING:
    from tests.server_process import ServerProcess

ON_PATH = CLEAN | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

COMPLETED = [
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
]


def ran(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=ON_PATH | environ, capture_output=True, text=True, timeout=30, check=True
    )


@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_bash_completes_commands_options_and_values(typed: str, completed: set[str]) -> None:
    words = ["tracker", *typed.split(" ")]
    script = (
        'source <(tracker completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        'complete -p tracker >&2; _tracker_completion tracker; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = ran("bash", "--norc", "-c", script, "bash", *words)
    assert done.stderr == "complete -o default -F _tracker_completion tracker\n"
    assert completed <= set(done.stdout.split())
    assert all(each.startswith(words[-1]) for each in done.stdout.split())


@pytest.mark.skipif(shutil.which("fish") is None, reason="LEFT OUT: completion in fish, for want of it")
@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_fish_completes_commands_options_and_values(typed: str, completed: set[str]) -> None:
    script = 'tracker completion fish | source; complete -C "tracker $argv"'
    done = ran("fish", "--no-config", "-c", script, typed)
    assert done.stderr == ""
    assert completed <= {line.partition("\t")[0] for line in done.stdout.splitlines()}


@pytest.mark.skipif(shutil.which("zsh") is None, reason="LEFT OUT: completion in zsh, for want of it")
@pytest.mark.parametrize(
    ("typed", "added"),
    [
        ("event cre", "ate "),
        ("event list --output y", "aml "),
        ("lock run --environment pro", "duction "),
        ("event create Deploy --type de", "ployment "),
    ],
)
def test_zsh_completes_at_its_prompt(typed: str, added: str) -> None:
    with Terminal(ON_PATH, ("zsh", "-f", "-i")) as screen:
        screen.type(
            b"autoload -Uz compinit; compinit -u -D; source <(tracker completion zsh); print rea''dy\n"
        )
        screen.expect("ready\n")
        screen.expect("shell> ")
        screen.type(f"tracker {typed}\t".encode())
        screen.expect(f"{typed[-1]}.*{added}")


@pytest.mark.parametrize(
    ("shell", "environ", "answer"),
    [
        ("zsh", {}, '_arguments \'*: :(("deployment"\n"drift"))\'\n'),
        ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}, "deployment\ndrift\n"),
    ],
)
def test_zsh_and_fish_are_answered_as_their_scripts_ask(
    shell: str, environ: dict[str, str], answer: str
) -> None:
    script = tracker("completion", shell).stdout
    asked = {
        "_TRACKER_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "tracker event create x --type d",
        **environ,
    }
    assert all(f"{name}=" in script for name in asked)
    assert f"_TRACKER_COMPLETE=complete_{shell}" in script
    done = ran("tracker", **asked)
    assert done.stdout == answer


@pytest.fixture(scope="module")
def filled(server: ServerProcess) -> ServerProcess:
    for command in (
        "event create Deploy --service checkout --type deployment --owner ada --label team=core",
        "event create Scale --service search --type operation --owner ben --label tier=1",
        "lock acquire --service checkout",
    ):
        assert tracker(*command.split(), environ=at(server)).returncode == 0
    return server


def of_server(server: ServerProcess, typed: str, **environ: str) -> list[str]:
    """Return what bash completes from a server, for the last word that was typed."""
    words = ["tracker", *typed.split(" ")]
    asked = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    return ran("tracker", _TRACKER_COMPLETE="complete_bash", **asked, **(at(server) | environ)).stdout.split()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("event list --service ch", ["checkout"]),
        ("event create x --owner a", ["ada"]),
        ("lock acquire --service s", ["search"]),
        ("event create x --label t", ["team=", "tier="]),
        ("event create x --label team=", ["team=core"]),
        ("stats --by label.", ["label.team", "label.tier"]),
        ("stats --by serv", ["service"]),
    ],
)
def test_values_of_a_server_are_completed(filled: ServerProcess, typed: str, completed: list[str]) -> None:
    assert of_server(filled, typed) == completed


def test_ids_of_a_server_are_completed(filled: ServerProcess) -> None:
    for noun, listed in (("event get", "events"), ("lock show", "locks")):
        command = (noun.partition(" ")[0], "list", "--output", "json")
        records = json.loads(tracker(*command, environ=at(filled)).stdout)[listed]
        ids = {each["id"] if listed == "locks" else each["metadata"]["id"] for each in records}
        assert set(of_server(filled, f"{noun} ")) == ids
        server = f"--server {at(filled)['TRACKER_SERVER']}"
        assert set(of_server(filled, f"{server} {noun} ", TRACKER_SERVER="http://127.0.0.1:9")) == ids


@pytest.mark.parametrize("answers", [False, True])
def test_a_server_that_is_away_completes_nothing_and_says_nothing(*, answers: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if answers else 9
        asked = {"COMP_WORDS": "tracker event get ", "COMP_CWORD": "3"}
        environ = {"TRACKER_SERVER": f"http://127.0.0.1:{port}", "_TRACKER_COMPLETE": "complete_bash"}
        done = ran("tracker", **asked, **environ)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_a_shell_that_is_unknown_is_refused() -> None:
    done = tracker("completion", "tcsh")
    assert done.returncode == 64
    assert "expected one of bash, zsh, fish, got 'tcsh'" in done.stderr
