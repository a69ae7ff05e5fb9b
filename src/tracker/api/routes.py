"""Plain HTTP routes: how one is declared, and the routes of every server.

These are the probes of an orchestrator, the page that Prometheus scrapes, and the documentation of the API.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from tracker.api.calls.endpoint import Limits
from tracker.errors import Reason, TrackerError
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import Scope


class HttpRequest(NamedTuple):
    """What a plain HTTP request says: the values of the path's variables, the body, and the ASGI scope."""

    captures: tuple[str, ...]
    body: bytes
    scope: Scope


RouteHandler: TypeAlias = Callable[[HttpRequest, Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class HttpRoute:
    """A plain HTTP route, whose `handler` gets the raw body, and the headers in its `Call`.

    `path` is a template as in `google.api.http`, and the name of the route in the log and in metrics. A route
    for GET answers HEAD too, and gets no body. A handler refuses a request by raising a `TrackerError`.
    Successful calls of a `quiet` route are logged at level debug.
    """

    verb: str
    path: str
    handler: RouteHandler
    limits: Limits = field(default_factory=Limits)
    quiet: bool = False


def unknown_path() -> TrackerError:
    """Return the error for a path that leads nowhere."""
    return TrackerError(Reason.UNKNOWN_PATH, "Not Found")


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

    async def livez(_request: HttpRequest, _call: Call) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: HttpRequest, _call: Call) -> Response:
        await ready()
        return JSONResponse({"status": "ready"})

    return (
        HttpRoute("GET", "/livez", livez, Limits(seconds=inf), quiet=True),
        HttpRoute("GET", "/readyz", readyz, quiet=True),
    )


def metrics_page(expose: Callable[[str], tuple[bytes, str]]) -> HttpRoute:
    """Return `/metrics`; `expose` returns the text for an `Accept` header, and its media type."""

    async def metrics(_request: HttpRequest, call: Call) -> Response:
        text, media_type = expose(call.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})

    return HttpRoute("GET", "/metrics", metrics, quiet=True)


def web_configuration(values: Mapping[str, object]) -> HttpRoute:
    """Return `/config.js`, a script with the configuration of the Go implementation's web page."""
    literal = json.dumps(values).translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&"})
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

    async def config(_request: HttpRequest, _call: Call) -> Response:
        script = f"window.TRACKER_CONFIG = {literal};\n"
        return Response(script, media_type="text/javascript", headers=headers)

    return HttpRoute("GET", "/config.js", config)


_FOLDER = Path(__file__).parent

_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


def documentation() -> Sequence[HttpRoute]:
    """Return `/docs`, `/openapi.json` (3.1), `/swagger.json` (2.0), and `/`, which redirects to `/docs`."""
    return (
        HttpRoute("GET", "/", _lead_to_docs),
        _file("/docs", _FOLDER / "swagger_ui" / "index.html", "text/html"),
        _file("/docs/initializer.js", _FOLDER / "swagger_ui" / "initializer.js", "text/javascript"),
        _folder("/docs/assets/{file=**}", _swagger_ui()),
        _file("/openapi.json", _FOLDER / "spec" / "openapi.json", "application/json"),
        _file("/swagger.json", _FOLDER / "spec" / "swagger.json", "application/json"),
    )


async def _lead_to_docs(_request: HttpRequest, _call: Call) -> Response:
    return RedirectResponse("/docs")


def _file(path: str, file: Path, media_type: str) -> HttpRoute:
    async def answer(_request: HttpRequest, _call: Call) -> Response:
        return FileResponse(file, media_type=media_type, headers=_HEADERS)

    return HttpRoute("GET", path, answer)


def _folder(path: str, folder: Path) -> HttpRoute:
    files = StaticFiles(directory=folder)

    async def answer(request: HttpRequest, _call: Call) -> Response:
        try:
            return await files.get_response(request.captures[0], request.scope)
        except HTTPException:
            raise unknown_path() from None

    return HttpRoute("GET", path, answer)


def _swagger_ui() -> Path:
    """Return the folder of Swagger UI; its package is not imported, since that needs Flask."""
    package = find_spec("flask_swagger_ui")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("flask-swagger-ui is not installed; it brings Swagger UI")
    return Path(package.origin).parent / "dist"
