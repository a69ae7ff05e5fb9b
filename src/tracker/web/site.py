"""All pages of a server, and what each answer has: the frame around the page, headers and errors."""

from __future__ import annotations

import gzip
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tracker import time_text
from tracker.api.calls.endpoint import Limits
from tracker.api.http_exchange import HttpResponse
from tracker.api.routes import HttpRoute
from tracker.errors import Code, TrackerError
from tracker.web.assets import Assets
from tracker.web.reads import Rpcs
from tracker.web.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from tracker.api.calls.endpoint import Endpoint
    from tracker.api.routes import HttpRequest
    from tracker.services.context import Call

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", _POLICY),
    ("cache-control", "private, no-cache"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("vary", "accept-encoding, cookie"),
)
_SMALL: Final = 1_000
"""Bytes of a page that are not worth compressing."""
_LEVEL: Final = 4
"""How hard pages are compressed: a higher level takes longer than it saves."""
_REFUSALS: Final = (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED)


class View:
    """What a page shows: its template, and what that is filled with."""

    __slots__ = ("status", "template", "values")

    def __init__(self, template: str, status: int = HTTPStatus.OK, /, **values: object) -> None:
        self.template = template
        self.status = status
        self.values: Mapping[str, object] = values


class Page(Protocol):
    """A page: its path, and what a visit of it shows."""

    @property
    def path(self) -> str:
        """The path, as in `google.api.http`."""

    def show(self, visit: Visit) -> Awaitable[View | HttpResponse]:
        """Return what a visit shows.

        Raises:
            TrackerError: The page can't be shown; the reader gets one that says why.
        """


class Site:
    """Answers the requests for pages."""

    def __init__(
        self,
        methods: Iterable[Endpoint],
        navigation: Sequence[tuple[str, str]],
        now: Callable[[], int],
        zone: ZoneInfo,
    ) -> None:
        self._rpcs = Rpcs(methods)
        self._now = now
        self._zone = zone
        self._assets = Assets()
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["web_address"] = web_address
        self._templates.globals |= {"asset": self._assets.path, "refused": refused, "nav": tuple(navigation)}

    def routes(self, pages: Iterable[Page]) -> Sequence[HttpRoute]:
        """Return the routes of pages and of the files that they load.

        A page needs no permission: its parts need those of the RPCs that they ask.
        """
        shown = [
            HttpRoute("GET", page.path, self._handler(page), None, Limits(body_bytes=0)) for page in pages
        ]
        return [*shown, self._assets.route()]

    def _handler(self, page: Page) -> Callable[[HttpRequest, Call], Awaitable[HttpResponse]]:
        async def handle(request: HttpRequest, call: Call) -> HttpResponse:
            visit = Visit(request, call, self._rpcs, time_text.Clock(self._now(), self._zone))
            try:
                view = await page.show(visit)
            except TrackerError as error:
                view = View("error.html", error.reason.http_status, error=error)
                call.did = ("page refused", {"reason": error.reason, "error": error.message})
            return view if isinstance(view, HttpResponse) else self._answer(visit, page, view)

        return handle

    def _answer(self, visit: Visit, page: Page, view: View) -> HttpResponse:
        template = self._templates.get_template(view.template)
        body = template.render(view.values, visit=visit, times=visit.times, path=page.path).encode()
        headers: list[tuple[str, str]] = [*_HEADERS]
        if len(body) > _SMALL and "gzip" in visit.call.headers.get("accept-encoding", ""):
            body = gzip.compress(body, _LEVEL, mtime=0)
            headers.append(("content-encoding", "gzip"))
        return HttpResponse(body, headers, view.status)


def refused(error: TrackerError) -> bool:
    """Return whether an error says that the reader may not see something."""
    return error.code in _REFUSALS


def web_address(text: str) -> str:
    """Return an address that a page may link to, or "" for text of any other kind, such as `javascript:`."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return ""
    return (
        text.strip() if parts.scheme in {"http", "https", "mailto"} and (parts.netloc or parts.path) else ""
    )
