"""The probes of an orchestrator: is the process alive, should it be sent calls."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from tracker.api.calls.endpoint import Limits
from tracker.api.http_route import HttpRoute

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.responses import Response

    from tracker.api.http_route import HttpRequest
    from tracker.services.call import Call


def probes(ready: Callable[[], Awaitable[None]]) -> Sequence[HttpRoute]:
    """Return `/livez`, which asks nobody, and `/readyz`, which asks `ready`.

    `ready` raises the `TrackerError` that says why the server should not be sent calls.
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
