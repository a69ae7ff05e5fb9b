"""Commands with a token: `tracker login`, `whoami`, `token`, and what a token is never shown by."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.cli.commands import at, tracker
from tests.patience import PATIENCE
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Give a server that allows nothing without a token."""
    database = tmp_path_factory.mktemp("server") / "tracker.db"
    with ServerProcess(database, AUTH_ANONYMOUS_PERMISSIONS="") as server:
        yield server


@pytest.fixture(scope="module")
def admin(server: ServerProcess) -> dict[str, str]:
    """Give the environment of who has the token of the first start."""
    deadline = time.monotonic() + PATIENCE
    while (found := re.search(r"^tracker: (trk_\S+)$", server.log(), re.MULTILINE)) is None:
        assert time.monotonic() < deadline
    return at(server) | {"TRACKER_TOKEN": found[1]}


def done(*arguments: str, environ: Mapping[str, str], text: str = "") -> str:
    ended = tracker(*arguments, environ=environ, text=text)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def new_token(admin: Mapping[str, str], *options: str) -> str:
    return done("token", "create", "--name", "ci", *options, environ=admin).strip()


def test_every_command_works_with_a_token_and_says_what_to_do_without_one(
    server: ServerProcess, admin: dict[str, str], tmp_path: Path
) -> None:
    token = new_token(admin, "--allow", "all")
    file = tmp_path / "token"
    file.write_text(token + "\n")
    ci = at(server) | {"TRACKER_TOKEN": token}
    event = done("event", "create", "t", "--service", "s", "--type", "deployment", environ=ci).strip()
    assert event in done("--token-file", str(file), "event", "list", environ=at(server))
    exported = done("export", "--token-file", str(file), environ=at(server))
    done("import", "-", environ=at(server) | {"TRACKER_TOKEN_FILE": str(file)}, text=exported)
    done("lock", "run", "--service", "s", "--", "true", environ=ci)
    done("run", "--service", "s", "--environment", "dev", "--lock", "--", "true", environ=ci)
    lock = ("lock", "acquire", "--service", "x", "--token-file", str(tmp_path / "lock"))
    done(*lock, "--access-token-file", str(file), environ=at(server))
    done("stats", environ=ci)
    done("catalog", "list", environ=ci)
    words = {"COMP_WORDS": "tracker event get ", "COMP_CWORD": "3", "_TRACKER_COMPLETE": "complete_fish"}
    typed = {"_TYPER_COMPLETE_ARGS": "tracker event get ", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert event in tracker(environ=ci | words | typed).stdout

    refused = tracker("event", "list", environ=at(server))
    assert refused.returncode == 1
    assert "authentication required; tracker login stores a token for this server" in refused.stderr
    wrong = tracker("event", "list", environ=at(server) | {"TRACKER_TOKEN": token[:-1] + "x"})
    assert "invalid or expired credentials; the token is that of TRACKER_TOKEN" in wrong.stderr
    own = new_token(ci, "--own", "--allow", "event:read")
    assert own[:12] in done("token", "list", environ=ci)
    assert event in done("event", "list", environ=ci | {"TRACKER_TOKEN": own})
    denied = tracker("token", "create", "--name", "x", "--allow", "event:read", environ=ci)
    assert "permission access:manage required; tracker whoami shows what is allowed" in denied.stderr


def test_a_login_is_kept_for_its_server_alone_in_a_file_of_the_user_alone(
    server: ServerProcess, admin: dict[str, str], tmp_path: Path
) -> None:
    token = new_token(admin, "--allow", "event:read", "--service", "shop*", "--environment", "prod")
    mine = at(server) | {"XDG_CONFIG_HOME": str(tmp_path)}
    refused = tracker("login", environ=mine, text="trk_wrong")
    assert (refused.returncode, "invalid or expired credentials" in refused.stderr) == (1, True)
    assert not list(tmp_path.rglob("*127.0.0.1*"))

    ended = tracker("login", environ=mine, text=f"{token}\n")
    assert ended.returncode == 0, ended.stderr
    assert "as ci" in ended.stderr
    (file,) = (each for each in tmp_path.rglob("*") if each.is_file())
    assert (file.read_text().strip(), file.stat().st_mode & 0o777) == (token, 0o600)
    assert file.parent.stat().st_mode & 0o777 == 0o700

    shown = done("whoami", environ=mine)
    assert re.search(r"^name +ci$", shown, re.MULTILINE)
    assert re.search(r"^token of +tracker login$", shown, re.MULTILINE)
    assert re.search(r"^services +shop\*$", shown, re.MULTILINE)
    assert json.loads(done("whoami", "--output", "json", environ=mine))["permissions"] == ["event:read"]
    other = tracker("whoami", environ=mine, text="").stdout
    assert "ci" in other
    by_name = at(server)["TRACKER_SERVER"].replace("127.0.0.1", "localhost")
    assert "anonymous" in done("--server", by_name, "whoami", environ=mine)

    file.chmod(0o644)
    assert "others can read" in tracker("event", "list", environ=mine).stderr
    file.chmod(0o600)
    assert "logged out" in tracker("logout", environ=mine).stderr
    assert "anonymous" in done("whoami", environ=mine)
    assert "no token is stored" in tracker("logout", environ=mine).stderr


def test_a_token_is_listed_replaced_and_revoked(server: ServerProcess, admin: dict[str, str]) -> None:
    token = new_token(admin, "--allow", "all,audit:read", "--service", "shop", "--team", "web")
    (row,) = [each for each in done("token", "list", environ=admin).splitlines() if token[:12] in each]
    name, shown, may, narrowed, _, used, id_ = re.split(r"  +", row)
    assert (name, shown, may, narrowed) == ("ci", token[:12], "all,audit:read", "service:shop team:web")
    assert used == "-"

    rotated = json.loads(done("token", "rotate", id_, "--overlap", "1h", "--output", "json", environ=admin))
    assert rotated["apiKey"]["services"] == ["shop"]
    for valid in (token, rotated["secret"]):
        done("whoami", environ=at(server) | {"TRACKER_TOKEN": valid})
    done("token", "revoke", token[:12], environ=admin)
    assert tracker("whoami", environ=at(server) | {"TRACKER_TOKEN": token}).returncode == 1
    again = tracker("token", "revoke", id_, environ=admin)
    assert (again.returncode, "active api key not found" in again.stderr) == (1, True)
    assert id_ in done("token", "list", "--all", environ=admin)
    typo = tracker("token", "create", "--name", "x", "--allow", "event:wriet", environ=admin)
    assert typo.returncode == 64


def test_a_token_goes_over_a_network_with_tls_alone(tmp_path: Path) -> None:
    environ = {"TRACKER_SERVER": "http://192.0.2.1:8080", "TRACKER_TOKEN": "trk_canary"}
    ended = tracker("event", "list", environ=environ)
    assert ended.returncode == 1
    assert "has no TLS: everyone between could read the token; use https://" in ended.stderr
    assert "trk_canary" not in ended.stderr
    login = tracker("login", environ={**environ, "XDG_CONFIG_HOME": str(tmp_path)}, text="trk_canary")
    assert (login.returncode, list(tmp_path.iterdir())) == (1, [])


def test_a_token_is_in_no_argument_and_nothing_that_the_server_writes(
    server: ServerProcess, admin: dict[str, str], tmp_path: Path
) -> None:
    token = new_token(admin, "--allow", "all", "--expires", "1h")
    file = tmp_path / "token"
    file.write_text(token)
    command = ("lock", "run", "--service", "c", "--token-file", str(file), "--")
    arguments = done(*command, "sh", "-c", "cat /proc/[0-9]*/cmdline || true", environ=at(server))
    assert "tracker" in arguments
    for bad in (token + "x", "Zz" + token):
        refused = tracker("event", "list", environ=at(server) | {"TRACKER_TOKEN": bad})
        assert token not in refused.stdout + refused.stderr
    url = f"http://127.0.0.1:{server.metrics_port}/metrics"
    metrics = httpx2.get(url, headers={"x-api-key": token}).raise_for_status().text
    assert "tracker_" in metrics
    secret = token[13:]
    stored = b"".join(each.read_bytes() for each in server.database.parent.glob("*.db*"))
    for text in (arguments, server.log(), metrics, stored.decode("latin-1")):
        assert secret not in text
