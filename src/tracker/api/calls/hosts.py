"""The step that keeps pages of other sites from reading answers by a name that leads here: DNS rebinding."""

from __future__ import annotations

import ipaddress
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tracker.errors import Reason, TrackerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.context import Call

_HOST = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<name>[^:]*))(?::\d*)?")
_REMEMBERED = 1_000


class KnownHosts:
    """Refuses HTTP requests whose `Host` is neither an address, nor a loopback name, nor one of `allowed`.

    A page can't choose the header: it has the name under which the browser found this server. Those of
    `allowed` are glob patterns. Probes are answered under any name, and gRPC, which no page speaks.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        self._allowed = [pattern.lower() for pattern in allowed]
        self._known: set[str] = set()

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        if endpoint.rpc is None and endpoint.quiet and endpoint.permission is None:
            return then
        known = self._known

        def checked(read: Read, call: Call) -> Awaitable[Any]:
            host = call.headers.get("host")
            if host is not None and host not in known and call.wire != "grpc":
                self._check(host)
            return then(read, call)

        return checked

    def _check(self, host: str) -> None:
        found = _HOST.fullmatch(host)
        name = "" if found is None else (found["name"] or "").lower().rstrip(".")
        if found is None or not (
            _is_address(found["v6"] or name)
            or self._is_allowed(name)
            or name.rpartition(".")[2] == "localhost"
        ):
            message = f'this server has no host "{host[:100]}"; ALLOWED_HOSTS can name it'
            raise TrackerError(Reason.UNKNOWN_HOST, message)
        if len(self._known) < _REMEMBERED:
            self._known.add(host)

    def _is_allowed(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._allowed)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
