"""The credentials of people: their sessions, in cookies of browsers or as bearer tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tracker.errors import invalid_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.domain.access import Principal
    from tracker.services.access.sessions import Sessions
    from tracker.services.context import Call

SESSION_COOKIE: Final = "tracker_session"
_BEARER: Final = re.compile(r"(?i:bearer) +([A-Za-z0-9_-]{43}) *")
_SESSION: Final = re.compile(rf"(?:^|[;,])\s*{SESSION_COOKIE}=([A-Za-z0-9_-]{{43}})\s*(?:$|[;,])")


class SessionTokens:
    """Recognizes sessions by their token, in a header, or in a cookie in requests for pages of this server.

    A browser sends the cookie whichever page asks it to: without `Sec-Fetch-Site` or `Origin` that name this
    server, it counts for nothing. So does one of a session that is over. No page of another site can send the
    header, as the Go implementation takes it too; there the token must be valid.
    """

    headers = ("cookie", "authorization")

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def authenticate(self, call: Call) -> Principal | None:
        headers = call.headers
        if "x-api-key" in headers:
            return None
        if (given := headers.get("authorization")) is not None:
            bearer = _BEARER.fullmatch(given)
            return None if bearer is None else await self._bearing(bearer[1], call)
        cookies = headers.get("cookie")
        if cookies is None or call.wire == "grpc":
            return None
        found = _SESSION.search(cookies)
        if found is None or not is_same_origin(headers):
            return None
        principal = await self._sessions.principal_with(found[1], call)
        if principal is not None:
            call.session = found[1]
        return principal

    async def _bearing(self, token: str, call: Call) -> Principal:
        principal = await self._sessions.principal_with(token, call)
        if principal is None:
            raise invalid_credentials()
        call.session = token
        return principal


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that it asks for a page of this server, or for its user."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return "origin" in headers and urlsplit(headers["origin"]).netloc == headers.get("host")
