"""The routes by which people log in at an identity provider."""

from __future__ import annotations

import html
import re
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from tracker.api.http_exchange import HttpResponse
from tracker.api.login import AUTH, html_page, local_path
from tracker.api.routes import HttpRoute
from tracker.errors import TrackerError
from tracker.services.access.sso import LoginFailedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api.login import Cookies
    from tracker.api.routes import HttpRequest
    from tracker.services.access.sso import SingleSignOn
    from tracker.services.context import Call

CALLBACK: Final = f"{AUTH}/oidc/callback"
_COOKIE: Final = "tracker_oidc"
_SECRET: Final = re.compile(rf"(?:^|[;,])\s*{_COOKIE}=([A-Za-z0-9_-]{{43}})\.([^;,\s]*)")
_SECONDS: Final = 600
"""Time in which a login must be finished."""


class SingleSignOnRoutes:
    """Sends browsers to the identity provider, and logs in who comes back.

    What a login needs is in a cookie of its own, which its browser alone has.
    """

    def __init__(self, sso: SingleSignOn, cookies: Cookies) -> None:
        self._sso = sso
        self._cookies = cookies

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes."""
        return (
            HttpRoute("GET", f"{AUTH}/oidc/login", self._begin, None),
            HttpRoute("GET", CALLBACK, self._finish, None),
        )

    async def _begin(self, request: HttpRequest, _call: Call) -> HttpResponse:
        secret = secrets.token_urlsafe(32)
        path = local_path(dict(parse_qsl(request.query)).get("redirect", "/"))
        try:
            address = await self._sso.begin(secret)
        except TrackerError:
            return self._failed("oidc_unavailable")
        cookie = self._cookies.cookie(_COOKIE, f"{secret}.{path}", _SECONDS, path=CALLBACK)
        headers = [cookie, ("location", address), ("cache-control", "no-store")]
        return HttpResponse(b"", headers, HTTPStatus.SEE_OTHER)

    async def _finish(self, request: HttpRequest, call: Call) -> HttpResponse:
        found = _SECRET.search(call.headers.get("cookie", ""))
        secret, path = (found[1], local_path(found[2])) if found else ("", "/")
        try:
            session = await self._sso.finish(call, secret, dict(parse_qsl(request.query)))
        except LoginFailedError as error:
            return self._failed(error.word)
        # Not a redirect: the browser would say that a page of the provider asks, and the session not count.
        target = html.escape(path)
        refresh = f'<meta http-equiv="refresh" content="0; url={target}">'
        page = html_page(f'{refresh}\n<p><a href="{target}">Continue</a></p>', HTTPStatus.OK)
        return page._replace(headers=[*page.headers, *self._cookies.of(session), self._done()])

    def _failed(self, word: str) -> HttpResponse:
        if word == "oidc_forbidden":
            page = html_page("<p>You have no account here, or it is disabled.</p>", HTTPStatus.FORBIDDEN)
            return page._replace(headers=[*page.headers, self._done()])
        return HttpResponse(b"", [("location", f"/login?error={word}"), self._done()], HTTPStatus.SEE_OTHER)

    def _done(self) -> tuple[str, str]:
        return self._cookies.cookie(_COOKIE, "", 0, path=CALLBACK)
