"""The credentials of people in browsers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.domain.access import Principal
    from tracker.services.access.sessions import Sessions
    from tracker.services.context import Call

SESSION_COOKIE: Final = "tracker_session"
_SESSION: Final = re.compile(rf"(?:^|[;,])\s*{SESSION_COOKIE}=([A-Za-z0-9_-]{{43}})\s*(?:$|[;,])")


class SessionCookies:
    """Recognizes sessions by their cookie, in requests for pages of this server.

    A browser sends the cookie whichever page asks it to: without `Sec-Fetch-Site` or `Origin` that name this
    server, it counts for nothing. So does one of a session that is over.
    """

    headers = ("cookie",)

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def authenticate(self, call: Call) -> Principal | None:
        headers = call.headers
        cookies = headers.get("cookie")
        if cookies is None or call.wire == "grpc" or "authorization" in headers or "x-api-key" in headers:
            return None
        found = _SESSION.search(cookies)
        if found is None or not is_same_origin(headers):
            return None
        principal = await self._sessions.principal_with(found[1])
        if principal is not None:
            call.session = found[1]
        return principal


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that it asks for a page of this server, or for its user."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return "origin" in headers and urlsplit(headers["origin"]).netloc == headers.get("host")
