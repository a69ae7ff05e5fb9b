"""All pages of a server, and what each answer has: the frame around the page, headers and errors."""

from __future__ import annotations

import gzip
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable
from urllib.parse import urlsplit

from markupsafe import escape

from tracker import time_text
from tracker.api.calls.endpoint import Limits
from tracker.api.http_exchange import HttpResponse
from tracker.api.login import html_page
from tracker.api.routes import LOST, ForeignTerms, HttpRoute, unknown_path
from tracker.errors import Code, TrackerError
from tracker.number_text import noun_of, number_of
from tracker.web.assets import Assets
from tracker.web.forms import LIMITS, Done, notice_cookie, read_form, require_same_session
from tracker.web.visit import Visit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from jinja2 import Environment

    from tracker.api.login import LoginRoutes
    from tracker.api.routes import HttpRequest
    from tracker.api.rpcs import Rpcs
    from tracker.services.context import Call

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", _POLICY),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("vary", "accept-encoding, cookie"),
)
_CHECKED: Final = ("cache-control", "private, no-cache")
_UNKEPT: Final = ("cache-control", "no-store")
_SMALL: Final = 1_000
"""Bytes of a page that are not worth compressing."""
_LEVEL: Final = 1
"""How hard pages are compressed: level 4 leaves 21 of 161 kB, in place of 24, in 1.0 ms, in place of 0.6."""
_REFUSALS: Final = (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED)


def _plain_page(error: TrackerError) -> HttpResponse:
    """Return the page for a request that is refused before it is known who asks."""
    links = '<p><a href="/">What is happening now</a> · <a href="/login">Log in</a></p>'
    problem = f'<p class="notice bad" role="alert">{escape(error.message)}</p>'
    return html_page(f"{problem}\n{links}", error.reason.http_status)


_NO_BODY: Final = Limits(body_bytes=0)
_TERMS: Final = ForeignTerms(error=_plain_page)


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


@runtime_checkable
class FormPage(Page, Protocol):
    """A page with forms, which are sent to its own path."""

    def submit(self, visit: Visit) -> Awaitable[Done | View]:
        """Make the change that `visit.form` asks for, and return what follows.

        Raises:
            TrackerError: Nothing was changed; the page is shown again, with what was entered and the error.
        """


@cache
def _assets() -> Assets:
    """Return the files of all servers of this process."""
    return Assets()


@cache
def _templates(navigation: tuple[tuple[str, str], ...]) -> Environment:
    """Return the templates of all servers of this process, each compiled when it is needed."""
    from jinja2 import FileSystemLoader, StrictUndefined  # noqa: PLC0415 - many servers show no page

    from tracker.web.templating import Templates  # noqa: PLC0415 - the same

    templates = Templates(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    @cache
    def mark(name: str, *given: object) -> object:
        """Lists have hundreds of statuses and priorities, of which a dozen differ: each is rendered once."""
        return vars(templates.get_template("parts.html").module)[name](*given)

    templates.filters |= {"web_address": web_address, "number_of": number_of, "noun_of": noun_of}
    templates.globals |= {"asset": _assets().path, "refused": refused, "nav": navigation}
    templates.globals |= {name: partial(mark, name) for name in ("status", "priority")}
    return templates


class Site:
    """Answers the requests for pages."""

    def __init__(
        self,
        rpcs: Rpcs,
        login: LoginRoutes,
        navigation: Sequence[tuple[str, str]],
        now: Callable[[], int],
        zone: ZoneInfo,
    ) -> None:
        self._rpcs = rpcs
        self._login = login
        self._now = now
        self._zone = zone
        self._navigation = tuple(navigation)

    def routes(self, pages: Iterable[Page]) -> Sequence[HttpRoute]:
        """Return the routes of pages and of the files that they load.

        A page needs no permission: its parts need those of the RPCs that they ask.
        """
        routes = [_assets().route(), HttpRoute("GET", LOST, self._lost, None, _NO_BODY)]
        for page in pages:
            routes.append(HttpRoute("GET", page.path, self._handler(page), None, _NO_BODY, foreign=_TERMS))
            if isinstance(page, FormPage):
                taker = self._taker(page)
                routes.append(
                    HttpRoute("POST", page.path, taker, None, LIMITS, takes_forms=True, foreign=_TERMS)
                )
        return routes

    async def _lost(self, request: HttpRequest, call: Call) -> HttpResponse:
        """Show that there is no page at a path, with a way on."""
        return self._answer(self._visit(request, call), request.path, _refusal(unknown_path(), call))

    def _visit(self, request: HttpRequest, call: Call) -> Visit:
        return Visit(request, call, self._rpcs, self._login, time_text.Clock(self._now(), self._zone))

    def _handler(self, page: Page) -> Callable[[HttpRequest, Call], Awaitable[HttpResponse]]:
        async def handle(request: HttpRequest, call: Call) -> HttpResponse:
            visit = self._visit(request, call)
            try:
                view = await page.show(visit)
            except TrackerError as error:
                view = _refusal(error, call)
            return view if isinstance(view, HttpResponse) else self._answer(visit, page.path, view)

        return handle

    def _taker(self, page: FormPage) -> Callable[[HttpRequest, Call], Awaitable[HttpResponse]]:
        async def take(request: HttpRequest, call: Call) -> HttpResponse:
            visit = self._visit(request, call)
            try:
                visit.form = read_form(request.body, call)
                view = await _submit(page, visit)
            except TrackerError as error:
                view = _refusal(error, call)
            if isinstance(view, Done):
                headers = (
                    ("location", visit.there(view.path)),
                    notice_cookie(view.message),
                    _UNKEPT,
                    *visit.headers,
                )
                return HttpResponse(b"", headers, HTTPStatus.SEE_OTHER)
            return view if isinstance(view, HttpResponse) else self._answer(visit, page.path, view)

        return take

    def _answer(self, visit: Visit, path: str, view: View) -> HttpResponse:
        template = _templates(self._navigation).get_template(view.template)
        ignored = visit.ignored if view.status == HTTPStatus.OK else ""
        frame = {"visit": visit, "times": visit.times, "path": path, "ignored": ignored}
        body = template.render(view.values, **frame).encode()
        if (
            visit.form.problems
        ):  # what is said of fields stands above them, where their labels are not known yet
            body = template.render(view.values, **frame).encode()
        headers = [*_HEADERS, _UNKEPT if visit.call.verb == "POST" else _CHECKED, *visit.headers]
        if visit.notice and not visit.one("part"):
            headers.append(notice_cookie(""))
        if len(body) > _SMALL and "gzip" in visit.call.headers.get("accept-encoding", ""):
            body = gzip.compress(body, _LEVEL, mtime=0)
            headers.append(("content-encoding", "gzip"))
        return HttpResponse(body, headers, view.status)


async def _submit(page: FormPage, visit: Visit) -> Done | View | HttpResponse:
    """Return what follows a form; where its change is refused, the page with what was entered."""
    try:
        require_same_session(visit.form, visit.call)
        return await page.submit(visit)
    except TrackerError as error:
        visit.form = visit.form.failed(error)
        view = await page.show(visit)
        if isinstance(view, View):
            view.status = error.reason.http_status
        visit.call.did = ("form refused", {"reason": error.reason, "error": error.message})
        return view


def _refusal(error: TrackerError, call: Call) -> View:
    call.did = ("page refused", {"reason": error.reason, "error": error.message})
    wrong = {each.field: each.description for each in error.violations}
    return View("error.html", error.reason.http_status, error=error, wrong=wrong)


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
