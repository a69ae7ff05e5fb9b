"""What the REST port serves beside RPCs, with errors in the one shape that RPCs answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tracker.api.error_details import internal_error, json_error
from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute


def make_pages(routes: Sequence[BaseRoute]) -> Starlette:
    """Return the application of all pages; what none of them knows is 404 with the code NOT_FOUND."""
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refuse, Exception: _fail})
    app.router.redirect_slashes = False
    return app


def error_response(error: TrackerError) -> Response:
    """Return an error as a page answers it."""
    return Response(json_error(error), error.reason.http_status, media_type="application/json")


def _refuse(_request: Request, exception: Exception) -> Response:
    if not isinstance(exception, HTTPException):
        raise TypeError(exception)
    reason = _REASONS.get(exception.status_code, Reason.INVALID_REQUEST)
    response = error_response(TrackerError(reason, exception.detail))
    response.status_code = exception.status_code
    response.headers.update(exception.headers or {})
    return response


_REASONS = {404: Reason.UNKNOWN_PATH, 405: Reason.METHOD_NOT_ALLOWED}


def _fail(request: Request, _exception: Exception) -> Response:
    return error_response(internal_error(request.state.request_id))
