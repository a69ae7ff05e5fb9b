"""Plain routes for operators: the probes of an orchestrator, and the page that Prometheus scrapes."""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from tracker.api.calls.endpoint import Limits
from tracker.api.http_route import HttpRoute
from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tracker.api.http_route import HttpRequest
    from tracker.services.call import Call

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
