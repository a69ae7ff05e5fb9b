"""The probes of an orchestrator: is the process alive, should it be sent calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from tracker.api.error_details import http_headers
from tracker.api.pages import error_response
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response


def probes(ready: Callable[[], Awaitable[None]]) -> Sequence[Route]:
    """Return `/livez`, which asks nobody, and `/readyz`, which asks `ready`.

    `ready` raises the `TrackerError` that says why the server should not be sent calls.
    """

    async def livez(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        try:
            await ready()
        except TrackerError as error:
            response = error_response(error)
            response.headers.update({name.decode(): value.decode() for name, value in http_headers(error)})
            return response
        return JSONResponse({"status": "ready"})

    return (Route("/livez", livez), Route("/readyz", readyz))
