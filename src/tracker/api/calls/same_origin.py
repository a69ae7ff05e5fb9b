"""The step that keeps pages of other sites from changing anything through the browsers of their readers."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tracker.errors import Reason, TrackerError
from tracker.pb.options import only_reads
from tracker.services.access.sessions import csrf_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Mapping

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.context import Call


class SameOrigin:
    """Refuses changes that a browser requests for a page of another origin, or with a body of a form.

    Browsers say where a request comes from in `Sec-Fetch-Site`, and older ones in `Origin`; other clients
    send neither and may send what they like. A form can't send JSON. The rule is that of Go's
    `http.CrossOriginProtection`, and applies to `GET /unlock/{id}` too: without TLS, browsers send neither
    header with GET, and are known by their `User-Agent`. Pages of `origins` may change what they have
    credentials for: browsers send them no cookies. A change by a browser's session needs the CSRF token of
    the session, and is never made by GET.
    """

    def __init__(self, origins: Collection[str] = ()) -> None:
        self._origins = frozenset(origins)

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        rpc = endpoint.rpc
        if rpc is not None and only_reads(rpc):
            return then
        forms, is_login = endpoint.takes_forms, endpoint.name.endswith("/login")

        def same_origin(read: Read, call: Call) -> Awaitable[Any]:
            if call.wire == "grpc" or (rpc is None and call.verb in ("GET", "HEAD")):
                return then(read, call)
            headers = call.headers
            if "origin" in headers or "sec-fetch-site" in headers or _is_get_of_browser(call):
                _check_origin(headers, self._origins, is_login=is_login)
                if not forms:
                    _check_body(headers)
                    _check_session(call)
            return then(read, call)

        return same_origin


def _is_get_of_browser(call: Call) -> bool:
    """Return whether this is a GET by a browser: PowerShell takes its name from one, and is none."""
    if call.verb != "GET":
        return False
    agent = call.user_agent
    return agent.startswith("Mozilla/") and "PowerShell" not in agent


def _check_origin(headers: Mapping[str, str], allowed: frozenset[str], *, is_login: bool) -> None:
    origin = headers.get("origin", "")
    site = headers.get("sec-fetch-site")
    foreign = site not in ("same-origin", "none") and origin not in allowed
    if foreign and (site or urlsplit(origin).netloc != headers.get("host")):
        message = f"a page of another site ({origin or site}) may not change anything here"
        if not (origin or site):
            message = "a browser that doesn't say which page asks for it may not change anything by GET"
        if is_login:  # in the words of the Go implementation
            message = "cross-site login requests are refused"
        raise TrackerError(Reason.CROSS_ORIGIN, message)


def _check_body(headers: Mapping[str, str]) -> None:
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    sent = headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and sent != "application/json" and not sent.endswith("+json"):
        message = f"a browser must send its body as application/json, not {sent or 'without a type'}"
        raise TrackerError(Reason.UNSUPPORTED_MEDIA_TYPE, message)


def _check_session(call: Call) -> None:
    if not call.session or "authorization" in call.headers:  # which no other page can send
        return
    if call.verb == "GET":
        raise TrackerError(Reason.CROSS_ORIGIN, "a browser's session changes nothing by GET")
    given = call.headers.get("x-csrf-token", "")
    if not hmac.compare_digest(given.encode(), csrf_token(call.session).encode()):
        message = "the header X-CSRF-Token must have the value of the cookie tracker_csrf"
        raise TrackerError(Reason.CROSS_ORIGIN, message)
