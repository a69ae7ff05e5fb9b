"""`tracker doctor`, `top` and `support-bundle`."""

from __future__ import annotations

import json
import re
import socket
import sys
import tarfile
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import apsw
import httpx2
import pytest
from tests.canaries import MARK, canary
from tests.certificates import Authority
from tests.cli.commands import CLEAN, on_terminal, start, tracker
from tests.cli.terminal import CTRL_C, Terminal
from tests.server_process import ServerProcess

from tracker.cli.exits import USAGE, CommandError
from tracker.cli.server import require_access_control
from tracker.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.mongo_servers import MongoServers

PERSON = "hildegard"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("operating")
    secret = {"GITHUB_WEBHOOK_SECRET": canary("github"), "AUTH_ADMIN_PASSWORD": canary("admin")}
    with ServerProcess(folder / "tracker.db", **secret) as server:
        yield server


def of(server: ServerProcess) -> dict[str, str]:
    """Return the settings of a server, and where it is for commands."""
    return {
        "HOST": "127.0.0.1",
        "GRPC_PORT": str(server.grpc_port),
        "HTTP_PORT": str(server.http_port),
        "METRICS_PORT": str(server.metrics_port),
        "DATABASE_PATH": str(server.database),
        "TRACKER_SERVER": f"http://127.0.0.1:{server.http_port}",
        "TRACKER_METRICS": f"http://127.0.0.1:{server.metrics_port}",
    }


def doctor(environ: Mapping[str, str], *arguments: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Return the exit code of `tracker doctor`, and what it found by check."""
    ended = tracker("doctor", "--output", "json", *arguments, environ=environ)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in json.loads(ended.stdout)["findings"]:
        found.setdefault(each["check"], []).append(each)
    return ended.returncode, found


def test_doctor_finds_nothing_wrong_with_a_server_and_its_fresh_backup(
    running: ServerProcess, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    assert tracker("backup", str(backup), environ=of(running)).returncode == 0
    code, found = doctor(of(running), "--backups", str(tmp_path), "--full")
    assert code == 0
    assert {each["status"] for findings in found.values() for each in findings} <= {"ok", "skipped"}
    for name in ("GRPC_PORT", "HTTP_PORT", "METRICS_PORT"):
        assert "the server listens" in found[name][0]["found"]
    assert found["backup"][0]["found"].startswith("backup.db, 0 hours old")


def test_doctor_leaves_a_store_as_it_is(running: ServerProcess) -> None:
    before = running.database.stat().st_ino, [*running.database.parent.glob("tracker.db*")]
    assert tracker("doctor", environ=of(running)).returncode == 0
    assert (running.database.stat().st_ino, [*running.database.parent.glob("tracker.db*")]) == before
    created = httpx2.post(
        f"http://127.0.0.1:{running.http_port}/api/v1alpha1/event",
        json={"title": "after", "attributes": {"service": "doctor", "type": "deployment"}},
    )
    assert created.status_code == 200


def test_doctor_names_settings_that_no_server_starts_with(tmp_path: Path) -> None:
    environ = {
        "DATABASE_PATH": str(tmp_path / "tracker.db"),
        "HOST": "0.0.0.0",
        "VERSION_SCHEMES": "shop=roman",
        "DEPLOYMENT_RULES": "no title",
        "AUTH_PROXY_USER_HEADER": "X-User",
        "GRPC_PORT": "8080",
        "AUTH_OIDC_CLIENT_ID": "tracker",
        "RETENTION_EXPORT_DIR": "/dev/null/exports",
    }
    code, found = doctor(environ)
    assert code == 2
    wrong = " ".join(each["found"] for each in found["settings"])
    for name in ("HOST", "VERSION_SCHEMES", "DEPLOYMENT_RULES", "TRUSTED_PROXIES", "two of the ports"):
        assert name in wrong, wrong
    assert all(name in wrong for name in ("without AUTH_OIDC_ISSUER", "DIR: /dev/null is no folder")), wrong
    code, found = doctor({"LOG_LEVEL": "loud"})
    assert code == 2
    assert "log_level: expected" in found["settings"][0]["found"]


def test_doctor_tells_a_port_of_another_program_from_its_own(running: ServerProcess, tmp_path: Path) -> None:
    elsewhere = of(running) | {"DATABASE_PATH": str(tmp_path / "tracker.db"), "METRICS_PORT": "0"}
    code, found = doctor(elsewhere | {"HTTP_PORT": str(running.grpc_port), "GRPC_PORT": "0"})
    assert code == 2
    assert "in use" in found["HTTP_PORT"][0]["found"]


def test_doctor_finds_a_damaged_store_and_a_damaged_backup(tmp_path: Path) -> None:
    store, backup = tmp_path / "tracker.db", tmp_path / "backup.db"
    environ = {"DATABASE_PATH": str(store), "GRPC_PORT": "0", "HTTP_PORT": "0", "METRICS_PORT": "0"}
    assert tracker("demo", str(store), "--events", "200").returncode == 0
    content = bytearray(store.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4_096] = b"\xff" * 4_096
    store.write_bytes(content)
    backup.write_bytes(content[: len(content) // 2])
    code, found = doctor(environ, "--backups", str(backup))
    assert code == 2
    assert found["store"][0]["status"] == "failed"
    assert found["backup"][0]["status"] == "failed"


def test_doctor_finds_records_that_need_attention(tmp_path: Path) -> None:
    store = tmp_path / "tracker.db"
    environ = {"DATABASE_PATH": str(store), "GRPC_PORT": "0", "HTTP_PORT": "0", "METRICS_PORT": "0"}
    assert tracker("demo", str(store), "--events", "10").returncode == 0
    soon = (datetime.now(UTC) + timedelta(days=3)).isoformat().replace("+00:00", "Z")
    key = {"id": "key:1", "apiKey": {"id": "1", "name": "pipeline", "expiresAt": soon}}
    hook = {"id": "1", "name": "chat", "disabledReason": "no answer", "disabled": True}
    signed, at = time.time_ns() // 1_000 - 10**9, time.time_ns() // 1_000
    with apsw.Connection(str(store)) as db:
        db.execute(
            "INSERT INTO access (id, changed_at, secret_hash, document) VALUES ('key:1', 0, x'', ?)",
            (json.dumps(key),),
        )
        db.execute("INSERT INTO webhooks VALUES ('1', '[]', ?)", (json.dumps(hook),))
        for number, moment, action in ((1, signed, "checkpoint"), (2, at, "created")):
            db.execute(
                "INSERT INTO audit VALUES (?, ?, 'audit', ?, '', '', 0, '{}', x'', '', '')",
                (number, moment, action),
            )
    db.close()
    code, found = doctor(environ)
    assert code == 2
    assert (found["tokens"][0]["status"], found["tokens"][0]["names"]) == ("warning", ["pipeline"])
    assert (found["webhooks"][0]["status"], found["webhooks"][0]["names"]) == ("failed", ["chat"])
    assert found["audit log"][0]["status"] == "warning"


def test_doctor_finds_a_certificate_that_expires_and_a_key_of_another(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.vouch_for("server")
    _, other = authority.vouch_for("other")
    environ = {"DATABASE_PATH": str(tmp_path / "t.db"), "TLS_CERT": str(certificate), "TLS_KEY": str(key)}
    environ |= {"GRPC_PORT": "0", "HTTP_PORT": "0", "METRICS_PORT": "0"}
    code, found = doctor(environ | {"AUTH_PUBLIC_URL": "https://tracker.example.com"})
    assert code == 2
    assert "expires in 24 hours" in found["TLS certificate"][0]["found"]
    assert "not for tracker.example.com" in found["TLS names"][0]["found"]
    assert "TLS key" in doctor(environ | {"TLS_KEY": str(other)})[1]


def test_doctor_checks_another_server_with_what_a_token_may_read(running: ServerProcess) -> None:
    url = f"http://127.0.0.1:{running.http_port}"
    code, found = doctor({}, "--server", url)
    assert code == 0
    assert [found[name][0]["status"] for name in ("server", "readiness", "clock")] == ["ok"] * 3
    code, found = doctor({}, "--server", "http://127.0.0.1:1")
    assert (code, found["server"][0]["status"]) == (2, "failed")
    code, found = doctor({"TRACKER_TOKEN": "trk_revoked"}, "--server", url)
    assert (code, found["credentials"][0]["status"], found["tokens"][0]["status"]) == (2, "failed", "skipped")


def test_doctor_checks_a_database_on_mongodb(mongo: MongoServers, tmp_path: Path) -> None:
    uri = mongo.emptied_database()
    with ServerProcess(tmp_path / "none.db", MONGO_URI=uri) as server:
        environ = of(server) | {"MONGO_URI": uri, "DATABASE_PATH": ""}
        code, found = doctor(environ)
    assert code in (0, 1)
    assert [found[name][0]["status"] for name in ("store", "schema", "clock", "audit log")] == ["ok"] * 4


def test_of_a_database_that_cannot_be_reached_doctor_says_nothing_more() -> None:
    uri = "mongodb://user:secret@127.0.0.1:1/tracker?serverSelectionTimeoutMS=100"
    environ = {"MONGO_URI": uri, "GRPC_PORT": "0", "HTTP_PORT": "0", "METRICS_PORT": "0"}
    code, found = doctor(environ)
    assert (code, found["store"][0]["status"]) == (2, "failed")
    assert "secret" not in found["store"][0]["found"]
    assert not {"clock", "replication", "tokens"} & set(found)


def test_doctor_fits_a_terminal(running: ServerProcess) -> None:
    for columns in (44, 80):
        shown = on_terminal("doctor", columns=columns, environ=of(running))
        assert max(map(len, _plain(shown))) <= columns
        assert any("check" in line for line in _plain(shown))


def _plain(shown: str) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.splitlines()]


def test_top_shows_calls_watches_and_locks(running: ServerProcess) -> None:
    api = f"http://127.0.0.1:{running.http_port}/api/v1alpha1"
    httpx2.post(f"{api}/lock", json={"service": "top"}).raise_for_status()
    with start("event", "tail", environ=of(running)) as tail, httpx2.Client() as http:
        shown = start("top", "--interval", "500ms", "--output", "ndjson", environ=of(running))
        assert shown.stdout is not None
        deadline = time.monotonic() + 60
        while True:
            for _ in range(20):
                http.get(f"{api}/events/list").raise_for_status()
            found = json.loads(shown.stdout.readline())
            if found["calls"] and found["watches"] == 1:
                break
            assert time.monotonic() < deadline, found
        shown.kill()
        tail.kill()
        shown.communicate()
    (listed,) = (each for each in found["calls"] if each["method"].endswith("/ListEvents"))
    assert listed["perSecond"] > 0
    assert listed["millisecondsP50"] <= listed["millisecondsP99"]
    assert "top" in [lock["service"] for lock in found["locks"]]
    assert found["callsPerSecondByPrincipal"]["anonymous"] > 0


def test_top_refreshes_a_terminal_until_it_is_interrupted(running: ServerProcess) -> None:
    with Terminal(CLEAN | of(running)) as terminal:
        terminal.type(f"{sys.executable} -m tracker top --interval 300ms\n".encode())
        terminal.expect("under way")
        terminal.expect("under way")
        terminal.type(CTRL_C)
        terminal.expect("shell> ")


def test_top_goes_on_when_the_server_is_there_again(tmp_path: Path) -> None:
    command = ("top", "--output", "ndjson", "--interval", "200ms")
    with ServerProcess(tmp_path / "tracker.db") as server, start(*command, environ=of(server)) as shown:
        assert shown.stdout is not None
        assert shown.stderr is not None
        assert json.loads(shown.stdout.readline())["version"]
        assert server.terminate() == 0
        assert "trying again" in shown.stderr.readline()
        server.__enter__()
        while json.loads(shown.stdout.readline())["seconds"] > 1:
            pass  # the interval in which it was away
        shown.kill()
        shown.communicate()


def test_top_says_where_metrics_may_be_instead(running: ServerProcess) -> None:
    ended = tracker("top", "--once", "--metrics", "http://127.0.0.1:1", environ=of(running))
    assert ended.returncode == 69
    assert "--metrics" in ended.stderr
    ended = tracker("top", "--once", "--metrics", of(running)["TRACKER_SERVER"], environ=of(running))
    assert "--metrics" in ended.stderr


@pytest.mark.parametrize("text", ["localhost:8081", "http://[::1", "http://ann:secret@localhost"])
@pytest.mark.parametrize("command", ["top --metrics", "top --server", "doctor --server"])
def test_what_is_no_address_is_a_wrong_option(command: str, text: str) -> None:
    ended = tracker(*command.split(), text)
    assert (ended.returncode, "expected an address such as" in ended.stderr) == (USAGE, True), ended.stderr
    assert "secret" not in ended.stderr


def bundle(environ: Mapping[str, str], folder: Path, *arguments: str) -> dict[str, str]:
    """Return the files of a support bundle."""
    target = folder / "support.tar.gz"
    target.unlink(missing_ok=True)
    ended = tracker("support-bundle", str(target), *arguments, environ=environ)
    assert ended.returncode == 0, ended.stderr
    assert MARK not in ended.stdout + ended.stderr
    assert target.stat().st_mode & 0o077 == 0
    with tarfile.open(target) as archive:
        members = {each.name.partition("/")[2]: archive.extractfile(each) for each in archive}
        return {name: member.read().decode() for name, member in members.items() if member}


def test_a_support_bundle_has_neither_secrets_nor_persons(running: ServerProcess, tmp_path: Path) -> None:
    api = f"http://127.0.0.1:{running.http_port}/api/v1alpha1"
    event = {
        "title": f"by {PERSON}",
        "attributes": {"service": "shop", "type": "deployment", "owner": PERSON},
    }
    httpx2.post(f"{api}/event", json=event, headers={"user-agent": PERSON}).raise_for_status()
    log = tmp_path / "server.log"
    fields = {"msg": "call", "error": canary("log"), "token": canary("token"), "user": PERSON}
    trace = f'Traceback\n  File "app.py", line 1, in go\nValueError: {PERSON} {canary("trace")}'
    defect = json.dumps({"msg": "defect", "exception": trace})
    log.write_text(
        f"{running.log()}{json.dumps(fields)}\n{defect}\nplain text of {PERSON} {canary('text')}\n"
    )
    environ = of(running) | {
        "GITHUB_WEBHOOK_SECRET": canary("github"),
        "SLACK_SIGNING_SECRET": f'quoted "{canary("slack")}" \\',
        "SLACK_USERS": f"U024BE7LH={PERSON}",
        "TRACKER_TOKEN": f"{MARK}token",
    }
    files = bundle(environ, tmp_path, "--log", str(log))
    log.unlink()  # which has secrets
    assert (
        set(files)
        == {
            *("about.json", "doctor.json", "settings.json", "store.json", "log.ndjson"),
        }
        or "metrics.txt" in files
    )
    for name, text in files.items():
        assert MARK not in text, name
        assert PERSON not in text, name
    assert '"exception": "app.py:1 go\\nValueError"' in files["log.ndjson"]
    assert json.loads(files["store.json"])["records"]["events"] >= 1
    assert all(json.loads(files["store.json"])["plans"].values())
    assert json.loads(files["settings.json"])["GITHUB_WEBHOOK_SECRET"]["value"] == "***"


def test_a_support_bundle_has_metrics_and_on_request_persons(running: ServerProcess, tmp_path: Path) -> None:
    environ = of(running) | {"SLACK_USERS": f"U024BE7LH={PERSON}"}
    files = bundle(environ, tmp_path, "--personal")
    assert PERSON in files["settings.json"]
    assert "tracker_build_info" in files["metrics.txt"]
    assert json.loads(files["about.json"])["leftOut"] == {"log.ndjson": "no --log was given"}
    assert tracker("support-bundle", str(tmp_path / "support.tar.gz"), environ=environ).returncode == 1


def test_a_support_bundle_is_made_with_settings_that_cannot_be_read(tmp_path: Path) -> None:
    files = bundle({"GRPC_PORT": "many", "SLACK_SIGNING_SECRET": canary("slack")}, tmp_path)
    assert "grpc_port: expected" in files["doctor.json"]
    assert set(files) == {"about.json", "doctor.json"}


def test_localhost_is_this_machine_where_nothing_resolves_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def unresolved(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    require_access_control(Settings(host="localhost"))
    with pytest.raises(CommandError, match="HOST=elsewhere"):
        require_access_control(Settings(host="elsewhere"))
