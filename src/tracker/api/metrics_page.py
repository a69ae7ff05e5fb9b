"""The page on which Prometheus reads the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from tracker.api.http_route import HttpRoute

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.api.http_route import HttpRequest
    from tracker.services.call import Call


def metrics_page(expose: Callable[[str], tuple[bytes, str]]) -> HttpRoute:
    """Return `/metrics`; `expose` returns the text, for a header `Accept`, and its media type."""

    async def metrics(_request: HttpRequest, call: Call) -> Response:
        text, media_type = expose(call.headers.get("accept", ""))
        return Response(text, headers={"content-type": media_type})

    return HttpRoute("GET", "/metrics", metrics, quiet=True)
