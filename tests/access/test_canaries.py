"""Secrets are in nothing that a server writes: its store, log, metrics, answers and last words."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

import grpc
import httpx2
import pytest
from tests.canaries import MARK, canary, files_with_secrets
from tests.cli.commands import tracker
from tests.clients import METHODS
from tests.server_process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mongo_servers import MongoServers

API = "/api/v1alpha1"
OWN = {"sec-fetch-site": "same-origin"}


class Canaries:
    """Secrets by what they are; those that a server makes are added as it answers with them."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    def new(self, name: str, prefix: str = "") -> str:
        return self.known(name, f"{prefix}{MARK}{secrets.token_hex(12)}")

    def known(self, name: str, secret: str) -> str:
        assert len(secret) >= 16
        self.secrets[name] = secret
        return secret

    def found_in(self, text: bytes) -> list[str]:
        return [name for name, secret in self.secrets.items() if secret.encode() in text]


def use(server: ServerProcess, canaries: Canaries) -> Iterator[httpx2.Response]:
    """Call a server with all kinds of secrets, right and wrong ones; yield answers that must have none."""
    password = canaries.secrets["admin password"]
    with httpx2.Client(base_url=f"http://127.0.0.1:{server.http_port}") as http:
        yield http.post(
            f"{API}/auth/login", json={"username": "admin", "password": canaries.new("wrong password")}
        )
        login = http.post(f"{API}/auth/login", json={"username": "admin", "password": password}, headers=OWN)
        session = canaries.known("session", login.cookies["tracker_session"])
        csrf = canaries.known("CSRF token", login.cookies["tracker_csrf"])
        http.cookies.clear()
        cookie = OWN | {"cookie": f"tracker_session={session}; tracker_csrf={csrf}", "x-csrf-token": csrf}
        created = http.post(f"{API}/auth/api-keys", json={"name": "ci"}, headers=cookie).json()
        key = canaries.known("key", created["secret"])
        asked = {"overlap": "60s"}
        rotated = http.post(
            f"{API}/auth/api-keys/{created['apiKey']['id']}/rotate", json=asked, headers=cookie
        )
        canaries.known("rotated key", rotated.json()["secret"])
        bearer = {"authorization": f"Bearer {key}"}
        yield http.get(f"{API}/locks/list", headers=bearer)
        basic = base64.b64encode(f"ci:{canaries.new('password of Basic')}".encode()).decode()
        for name, value in (
            ("x-api-key", canaries.new("X-Api-Key")),
            ("authorization", f"Bearer {canaries.new('bearer')}"),
            ("authorization", f"Bearer trk_abcdefgh_{canaries.new('unknown key')}"),
            ("authorization", f"Bearer eyJhbGciOiJub25lIn0.e30.{canaries.new('id token')}"),
            ("authorization", f"Basic {canaries.known('Basic', basic)}"),
            ("cookie", f"tracker_session={canaries.new('unknown session')}"),
        ):
            yield http.get(f"{API}/locks/list", headers=OWN | {name: value})
        token = canaries.new("lock token")
        lock = {"service": "cart", "lockToken": token}
        taken = http.post(
            f"{API}/lock", json=lock, headers=bearer | {"idempotency-key": canaries.new("idempotency key")}
        )
        yield taken
        lock_id = taken.json()["lock"]["id"]
        wrong = {"lockToken": canaries.new("wrong lock token")}
        yield http.post(f"{API}/lock/{lock_id}/renew", json=wrong, headers=bearer)
        yield http.post(f"{API}/lock", json=lock | wrong, headers=bearer)
        query = {"lock_token": canaries.new("lock token in a query")}
        yield http.delete(f"{API}/lock/{lock_id}", params=query, headers=bearer)
        yield http.post(f"{API}/lock", content=f'{{"lockToken": "{canaries.new("cut body")}', headers=bearer)
        yield http.post(
            f"{API}/auth/login", content=f'{{"password": "{canaries.new("cut login")}', headers=OWN
        )
        form = {"username": "admin", "password": canaries.new("password of a form")}
        yield http.post("/login", data=form, headers=OWN)
        change = {
            "currentPassword": canaries.new("current password"),
            "newPassword": canaries.new("new password"),
        }
        yield http.post(f"{API}/auth/password", json=change, headers=cookie)
        yield http.post(f"{API}/auth/logout", headers=cookie)
        yield httpx2.get(f"http://127.0.0.1:{server.metrics_port}/metrics", headers=bearer)


def test_secrets_are_in_nothing_that_a_server_writes(
    tmp_path: Path, mongo_uri: str | None, request: pytest.FixtureRequest
) -> None:
    canaries = Canaries()
    settings = {
        "AUTH_ANONYMOUS_PERMISSIONS": "none",
        "AUTH_ADMIN_PASSWORD": canaries.new("admin password"),
        "LOG_LEVEL": "debug",
        "MONGO_URI": mongo_uri or "",
    }
    outputs: dict[str, bytes] = {}
    database = tmp_path / "data" / "tracker.db"
    database.parent.mkdir()
    with ServerProcess(database, **settings) as server:
        for number, answer in enumerate(use(server, canaries)):
            outputs[f"answer {number} {answer.request.method} {answer.request.url.path}"] = answer.content
        metadata = (("authorization", f"Bearer {canaries.new('metadata')}"),)
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            method = METHODS["LockService/ListLocks"]
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
                f"/{method.parent.type_name}/{method.name}"
            )
            with pytest.raises(grpc.RpcError) as refused:
                call(b"", metadata=metadata)
            outputs["gRPC"] = repr(refused.value).encode()
        assert server.terminate() == 0
    assert len(canaries.secrets) >= 20
    unusable = (
        f"mongodb://tracker:{canaries.new('database password')}@127.0.0.1:1/?serverSelectionTimeoutMS=100"
    )
    client_secret = canaries.new("client secret")
    for command in ("config", "serv"):
        environ = {"MONGO_URI": unusable, "AUTH_OIDC_CLIENT_SECRET": client_secret}
        ended = tracker(command, environ=environ, folder=tmp_path)
        outputs[command] = (ended.stdout + ended.stderr).encode()
    outputs |= {
        str(file.relative_to(tmp_path)): file.read_bytes()
        for file in database.parent.rglob("*")
        if file.is_file()
    }
    if mongo_uri is not None:
        servers: MongoServers = request.getfixturevalue("mongo")
        outputs["database"] = repr([*servers.documents()]).encode()
    assert any(b"cart" in text for text in outputs.values())
    assert {name: found for name, text in outputs.items() if (found := canaries.found_in(text))} == {}


def test_a_secret_in_a_file_is_found(tmp_path: Path) -> None:
    file = tmp_path / "tracker.log"
    file.write_text(f"logged in with {canary('password')}\n")
    assert files_with_secrets(tmp_path) == [str(file)]
    file.unlink()  # else all tests are found to have written it
