"""Plain HTTP routes: how one is declared, and the routes of every server.

These are the probes of an orchestrator, the page that Prometheus scrapes, and the documentation of the API.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from tracker.api.calls.endpoint import Limits
from tracker.api.http_exchange import HttpResponse
from tracker.errors import Reason, TrackerError
from tracker.permissions import Permission
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


LOST: Final = "unknown page"
"""In place of a path: the route is for browsers that open one that leads nowhere."""


class HttpRequest(NamedTuple):
    """What a plain HTTP request says.

    `captures` are the values of the path's variables; `path` and `query` are escaped, as they were sent.
    """

    captures: tuple[str, ...]
    body: bytes
    path: str = ""
    query: str = ""


RouteHandler: TypeAlias = Callable[[HttpRequest, Call], Awaitable[HttpResponse]]


class ForeignTerms(NamedTuple):
    """What a route has in the terms of a product that is not Tracker.

    `credentials` returns the API key of a request that has one in a place of that product's own; it is given
    the headers and the query. `error` returns the answer to a refused request,
    where its form is not that of Tracker. `key_in_body` returns the API key in a body, which is then read
    before the caller is known: such a route limits its size.
    """

    credentials: Callable[[Mapping[str, str], str], str | None] | None = None
    error: Callable[[TrackerError], HttpResponse] | None = None
    key_in_body: Callable[[bytes], str | None] | None = None


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """A plain HTTP route, whose `handler` gets the raw body, and the headers in its `Call`.

    `path` is a template as in `google.api.http`, and the name of the route in the log and in metrics. A route
    for GET answers HEAD too, and gets no body. A handler refuses a request by raising a `TrackerError`.
    Callers need `permission`, where it is not None. Successful calls of a `quiet` route are logged at level
    debug. One that `takes_forms` needs neither JSON nor the CSRF token of pages of this server. A
    `compressed` body is decompressed. `foreign` are the terms of the product whose clients call the route.
    """

    verb: str
    path: str
    handler: RouteHandler
    permission: Permission | None
    limits: Limits = field(default_factory=Limits)
    quiet: bool = False
    takes_forms: bool = False
    compressed: bool = False
    foreign: ForeignTerms | None = None


def unknown_path() -> TrackerError:
    """Return the error for a path that leads nowhere."""
    return TrackerError(Reason.UNKNOWN_PATH, "Not Found")


_JSON = [("content-type", "application/json")]

_GOOD_FOR = 5.0
"""Seconds for which the last successful check of the store counts."""


class Readiness:
    """Answers the readiness probe: checks the store, at most every few seconds while it is well."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check
        self._proven = -_GOOD_FOR
        self._draining = False

    def drain(self) -> None:
        """Report that the server is not ready from now on: it is about to stop."""
        self._draining = True

    async def __call__(self) -> None:
        """Return if the server is ready.

        Raises:
            TrackerError: UNAVAILABLE, with the reason why it is not.
        """
        if self._draining:
            raise TrackerError(Reason.DRAINING, "the server is stopping")
        if time.monotonic() - self._proven >= _GOOD_FOR:
            await self._check()
            self._proven = time.monotonic()


def probes(ready: Callable[[], Awaitable[None]]) -> Sequence[HttpRoute]:
    """Return `/livez`, which checks nothing, and `/readyz`, which awaits `ready`.

    `ready` raises a `TrackerError` where the server should not be sent calls.
    """

    async def livez(_request: HttpRequest, _call: Call) -> HttpResponse:
        return HttpResponse(b'{"status":"alive"}', _JSON)

    async def readyz(_request: HttpRequest, _call: Call) -> HttpResponse:
        await ready()
        return HttpResponse(b'{"status":"ready"}', _JSON)

    return (
        HttpRoute("GET", "/livez", livez, None, Limits(seconds=inf), quiet=True),
        HttpRoute("GET", "/readyz", readyz, None, quiet=True),
    )


def metrics_page(expose: Callable[[str], tuple[bytes, str]]) -> HttpRoute:
    """Return `/metrics`; `expose` returns the text for an `Accept` header, and its media type."""

    async def metrics(_request: HttpRequest, call: Call) -> HttpResponse:
        text, media_type = expose(call.headers.get("accept", ""))
        return HttpResponse(text, [("content-type", media_type)])

    return HttpRoute("GET", "/metrics", metrics, Permission.METRICS_READ, quiet=True)


def web_configuration(values: Mapping[str, object]) -> HttpRoute:
    """Return `/config.js`, a script with the configuration of the Go implementation's web page."""
    literal = json.dumps(values).translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"})
    script = f"window.TRACKER_CONFIG = {literal};\n".encode()
    headers = [("content-type", "text/javascript; charset=utf-8"), ("cache-control", "no-store")]

    async def config(_request: HttpRequest, _call: Call) -> HttpResponse:
        return HttpResponse(script, headers)

    return HttpRoute("GET", "/config.js", config, None)


_FOLDER = Path(__file__).parent

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
}
_HEADERS = (
    ("cache-control", "no-cache"),
    ("content-security-policy", _POLICY),
    ("referrer-policy", "no-referrer"),
)


def documentation() -> Sequence[HttpRoute]:
    """Return `/docs`, `/openapi.json` (3.1) and `/swagger.json` (2.0)."""
    pages = _FOLDER / "swagger_ui"
    assets = {f"/docs/assets/{file.name}": file for file in _swagger_ui().iterdir() if file.is_file()}
    return (
        _file("/docs", pages / "index.html"),
        _file("/docs/initializer.js", pages / "initializer.js"),
        *(_file(path, file) for path, file in assets.items()),
        _file("/openapi.json", _FOLDER / "spec" / "openapi.json"),
        _file("/swagger.json", _FOLDER / "spec" / "swagger.json"),
    )


def _file(path: str, file: Path) -> HttpRoute:
    """Return a route that answers with a file, or says that the client has it."""
    status = file.stat()
    tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    headers = (*_HEADERS, ("etag", tag))
    media_type = _MEDIA_TYPES.get(file.suffix, "text/plain; charset=utf-8")

    async def answer(_request: HttpRequest, call: Call) -> HttpResponse:
        if tag in call.headers.get("if-none-match", ""):
            return HttpResponse(b"", headers, HTTPStatus.NOT_MODIFIED)
        content = await asyncio.to_thread(file.read_bytes)
        return HttpResponse(content, (("content-type", media_type), *headers))

    return HttpRoute("GET", path, answer, None)


def _swagger_ui() -> Path:
    """Return the folder of Swagger UI; its package is not imported, since that needs Flask."""
    package = find_spec("flask_swagger_ui")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("flask-swagger-ui is not installed; it brings Swagger UI")
    return Path(package.origin).parent / "dist"
