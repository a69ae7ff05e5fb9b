"""Cross-origin resource sharing: which other sites' pages may call the API (https://fetch.spec.whatwg.org/)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_REQUEST_HEADERS = (
    "authorization, content-type, grpc-timeout, idempotency-key, last-event-id, mcp-method, mcp-name,"
    " mcp-protocol-version, prefer, x-api-key, x-request-id"
)
_ANSWER_HEADERS = "retry-after, ratelimit, ratelimit-policy, warning, preference-applied, x-request-id"
_SECONDS = 600


class Cors:
    """Adds the headers by which browsers let pages of some origins read answers, never with cookies."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origins)

    def headers(self, request: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return the headers of the answer to a request with such headers."""
        if not self._origins:
            return []
        vary = ("vary", "origin")
        origin = request.get("origin")
        if origin not in self._origins:
            return [vary]
        return [
            vary,
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", _ANSWER_HEADERS),
        ]

    def preflight(self, verb: str, request: Mapping[str, str]) -> list[tuple[str, str]] | None:
        """Return the further headers of the answer to a preflight request, or None if this is none."""
        if verb != "OPTIONS" or "access-control-request-method" not in request:
            return None
        if request.get("origin") not in self._origins:
            return None
        return [
            ("access-control-allow-methods", _METHODS),
            ("access-control-allow-headers", _REQUEST_HEADERS),
            ("access-control-max-age", str(_SECONDS)),
        ]
