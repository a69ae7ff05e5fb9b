"""An issuer of id tokens and identity provider in this process: what it publishes, and its keys."""

from __future__ import annotations

import asyncio
import json
import warnings
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from joserfc.jwk import ECKey, OKPKey

AUDIENCE = "https://tracker.example.com"

RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
"""Generating one takes a while."""


@dataclass
class IdentityProvider:
    """Publishes `keys`; counts what is asked of it in `asked`. `answer_token` answers its token endpoint,
    `answer_job` a job in GitHub Actions. `queries`, `headers` and `body` are those of the last request."""

    url: str = ""
    keys: list[RSAKey | ECKey | OKPKey] = field(default_factory=lambda: [RSA])
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    answer_token: Callable[[dict[str, str]], object] = lambda _: {}
    answer_job: Callable[[], object] = dict
    queries: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    down: bool = False

    def token(
        self,
        claims: dict[str, Any],
        key: RSAKey | ECKey | OKPKey | None = None,
        algorithm: str = "RS256",
        header: dict[str, Any] | None = None,
    ) -> str:
        """Return a token of these claims and those that all have; None leaves one out."""
        own = {"iss": self.url, "aud": AUDIENCE, "sub": "someone"} | claims
        signing = key or self.keys[0]
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        head = {"alg": algorithm, "kid": signing.kid} | (header or {})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # EdDSA by its old name, which Keycloak writes
            return jwt.encode(
                {name: value for name, value in head.items() if value is not None},
                {name: value for name, value in own.items() if value is not None},
                signing,
                registry=registry,
            )

    def _respond(self, verb: str, path: str) -> object:
        self.asked.append(path)
        if path == "/.well-known/openid-configuration":
            own = {name: f"{self.url}/{name}" for name in ("authorization_endpoint", "token_endpoint")}
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | own | self.metadata
        if path == "/keys":
            return {"keys": [key.as_dict(private=False) for key in self.keys]}
        if path == "/token_endpoint" and verb == "POST":
            return self.answer_token(dict(parse_qsl(self.body.decode())))
        if path == "/job_token":
            return self.answer_job()
        return None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        verb, path, _ = head.split(" ", 2)
        lines = (line.partition(": ") for line in head.split("\r\n")[1:])
        self.headers = {name.lower(): value for name, _, value in lines}
        url = urlsplit(path)
        self.queries = dict(parse_qsl(url.query))
        self.body = await reader.readexactly(int(self.headers.get("content-length", 0)))
        if not self.down:
            answer = self._respond(verb, url.path)
            text = json.dumps(answer).encode()
            status = "404 Not Found" if answer is None else "200 OK"
            head = f"HTTP/1.1 {status}\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
            writer.write(head.encode() + text)
        writer.close()


@asynccontextmanager
async def running_provider() -> AsyncIterator[IdentityProvider]:
    """Run a provider on a free port."""
    provider = IdentityProvider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        provider.url = f"http://{host}:{port}"
        yield provider
