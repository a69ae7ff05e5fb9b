"""Plain HTTP routes: probes, pages, files, and whatever takes a raw body."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from starlette.responses import Response

from tracker.api.calls.endpoint import Limits
from tracker.errors import Reason, TrackerError
from tracker.services.call import Call

if TYPE_CHECKING:
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
