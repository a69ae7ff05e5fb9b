"""The steps that determine who makes a call, and whether that principal may make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker.services.call import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.call import Call


class Authenticate:
    """Sets the principal of each call: the anonymous one, since there are no credentials yet."""

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        def authenticated(read: Read, call: Call) -> Awaitable[Any]:
            call.made_by(ANONYMOUS)
            return then(read, call)

        return authenticated


class Authorize:
    """Allows every principal, including the anonymous one, every endpoint: there is no access control yet."""

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        return then
