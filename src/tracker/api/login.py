"""The routes by which people log in and out, in browsers: of a plain page, and of scripts."""

from __future__ import annotations

import html
import re
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

import orjson

from tracker.api.calls.callers import address_of
from tracker.api.calls.endpoint import Limits
from tracker.api.calls.session_tokens import SESSION_COOKIE
from tracker.api.http_exchange import HttpResponse
from tracker.api.routes import HttpRoute
from tracker.errors import Code, FieldViolation, TrackerError, invalid
from tracker.services.access.sessions import csrf_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.api.routes import HttpRequest
    from tracker.services.access.logins import Logins
    from tracker.services.access.sessions import NewSession, Sessions
    from tracker.services.context import Call

AUTH: Final = "/api/v1alpha1/auth"
CSRF_COOKIE: Final = "tracker_csrf"
_LIMITS: Final = Limits(body_bytes=4096)
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_LOCAL_PATH: Final = re.compile(r"/(?![/\\])[\x21-\x7e]*")


class Cookies:
    """Writes the cookies of sessions."""

    def __init__(self, *, secure: bool) -> None:
        self._secure = "; Secure" if secure else ""

    def of(self, session: NewSession) -> list[tuple[str, str]]:
        """Return the headers that give a browser a session, and pages the token for their changes."""
        token, seconds = session
        csrf = self.cookie(CSRF_COOKIE, csrf_token(token), seconds, for_scripts=True)
        return [self.cookie(SESSION_COOKIE, token, seconds), csrf]

    def none(self) -> list[tuple[str, str]]:
        """Return the headers that take them from it."""
        return [self.cookie(name, "", 0) for name in (SESSION_COOKIE, CSRF_COOKIE)]

    def cookie(
        self, name: str, value: str, seconds: int, *, path: str = "/", for_scripts: bool = False
    ) -> tuple[str, str]:
        """Return the header that sets a cookie."""
        expires = formatdate(time() + seconds if seconds else 0, usegmt=True)
        hidden = "" if for_scripts else "; HttpOnly"
        lasts = f"Max-Age={seconds}; Expires={expires}"
        return ("set-cookie", f"{name}={value}; Path={path}; {lasts}{hidden}; SameSite=Lax{self._secure}")


class LoginRoutes:
    """Logs people in and out."""

    def __init__(self, logins: Logins, sessions: Sessions, cookies: Cookies, provider: str = "") -> None:
        """Take what checks passwords, and the label of the link to an identity provider, if there is one."""
        self._logins = logins
        self._sessions = sessions
        self._cookies = cookies
        self._provider = provider

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes."""
        return (
            HttpRoute("POST", f"{AUTH}/login", self._log_in, None, _LIMITS, takes_forms=True),
            HttpRoute("POST", f"{AUTH}/logout", self._log_out, None, _LIMITS, takes_forms=True),
            HttpRoute("POST", f"{AUTH}/password", self._change_password, None, _LIMITS),
            HttpRoute("GET", "/login", self._page, None),
            HttpRoute("POST", "/login", self._log_in_by_page, None, _LIMITS, takes_forms=True),
            HttpRoute("POST", "/logout", self._log_out_by_page, None, _LIMITS, takes_forms=True),
        )

    async def _log_in(self, request: HttpRequest, call: Call) -> HttpResponse:
        username, password = _texts(request.body, "username", "password")
        session = await self._logins.log_in(call, address_of(call), username, password)
        return HttpResponse(b"", self._cookies.of(session), HTTPStatus.NO_CONTENT)

    async def _log_out(self, _request: HttpRequest, call: Call) -> HttpResponse:
        await self._sessions.end(call.session)
        return HttpResponse(b"", self._cookies.none(), HTTPStatus.NO_CONTENT)

    async def _change_password(self, request: HttpRequest, call: Call) -> HttpResponse:
        current, new = _texts(request.body, "currentPassword", "newPassword")
        return HttpResponse(b"", await self.change_password(call, current, new), HTTPStatus.NO_CONTENT)

    async def change_password(self, call: Call, current: str, new: str) -> Sequence[tuple[str, str]]:
        """Change the password of the session's user; return the headers that give the browser a new session.

        Raises:
            TrackerError: UNAUTHENTICATED; INVALID_ARGUMENT; RESOURCE_EXHAUSTED after too many attempts.
        """
        return self._cookies.of(await self._logins.change_password(call, address_of(call), current, new))

    async def _page(self, request: HttpRequest, call: Call) -> HttpResponse:
        if call.session:
            return html_page(_LOGGED_IN.format(name=html.escape(call.principal.name)), HTTPStatus.OK)
        given = dict(parse_qsl(request.query))
        return self._login_page(
            _PROBLEMS.get(given.get("error", ""), ""), HTTPStatus.OK, given.get("redirect", "/")
        )

    async def _log_in_by_page(self, request: HttpRequest, call: Call) -> HttpResponse:
        fields = dict(parse_qsl(request.body.decode(errors="replace")))
        username, password = fields.get("username", ""), fields.get("password", "")
        target = local_path(fields.get("redirect", "/"))
        try:
            session = await self._logins.log_in(call, address_of(call), username, password)
        except TrackerError as error:
            if error.code is Code.INTERNAL:
                raise
            return self._login_page(
                f"{error.message[:1].upper()}{error.message[1:]}.", error.reason.http_status, target, username
            )
        return HttpResponse(b"", [*self._cookies.of(session), ("location", target)], HTTPStatus.SEE_OTHER)

    async def _log_out_by_page(self, _request: HttpRequest, call: Call) -> HttpResponse:
        await self._sessions.end(call.session)
        return HttpResponse(b"", [*self._cookies.none(), ("location", "/login")], HTTPStatus.SEE_OTHER)

    def _login_page(self, problem: str, status: int, target: str, name: str = "") -> HttpResponse:
        target = local_path(target)
        back = f"?redirect={quote(target, safe='/')}" if target != "/" else ""
        to_provider = f"{AUTH}/oidc/login{back}"
        link = _LINK.format(path=html.escape(to_provider), label=html.escape(self._provider))
        shown = f'<p class="notice bad" role="alert">{html.escape(problem)}</p>' if problem else ""
        content = _LOGIN.format(
            problem=shown,
            link=link if self._provider else "",
            target=html.escape(target),
            name=html.escape(name),
            first="" if name else "autofocus",
            then="autofocus" if name else "",
        )
        return html_page(content, status)


_PROBLEMS = {
    "oidc_denied": "The identity provider refused the login.",
    "oidc_state": "The login took too long, or began in another browser: try again.",
    "oidc_failed": "The identity provider answered something that is not valid.",
    "oidc_unavailable": "The identity provider can't be reached.",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tracker</title>
<link rel="icon" href="/assets/newest/icon.svg">
<link rel="stylesheet" href="/assets/newest/tokens.css">
<link rel="stylesheet" href="/assets/newest/base.css">
<main class="door">
<h1><img src="/assets/newest/icon.svg" alt="" width="28" height="28">Tracker</h1>
<div class="card">
{content}
</div>
</main>
</html>
"""
_LOGIN = """{problem}
<form class="form" method="post" action="/login">
<div class="field"><label for="username">Name</label>
<input id="username" name="username" value="{name}" autocomplete="username" {first} required></div>
<div class="field"><label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" {then} required></div>
<input type="hidden" name="redirect" value="{target}">
<button class="primary">Log in</button>
{link}</form>"""
_LINK = '<a class="button" href="{path}">{label}</a>\n'
_LOGGED_IN = """<p>You are logged in as {name}.</p>
<form class="actions" method="post" action="/logout">
<a class="button primary" href="/">Continue</a><button>Log out</button></form>"""


def html_page(content: str, status: int) -> HttpResponse:
    """Return a page with some HTML, and without scripts."""
    headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", _POLICY),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ]
    return HttpResponse(_PAGE.format(content=content).encode(), headers, status)


def local_path(text: str) -> str:
    """Return a path of this server to go to, or `/` for an address that may lead elsewhere."""
    return quote(text, safe="/?&=#%:,;+@!$'()*~") if _LOCAL_PATH.fullmatch(text) else "/"


def _texts(body: bytes, *names: str) -> list[str]:
    """Return texts of a JSON object; "" for those that it lacks."""
    try:
        content = orjson.loads(body)
    except ValueError:
        raise invalid(FieldViolation("", "the body is not valid JSON")) from None
    values = [content.get(name, "") if isinstance(content, dict) else "" for name in names]
    return [value if isinstance(value, str) else "" for value in values]
