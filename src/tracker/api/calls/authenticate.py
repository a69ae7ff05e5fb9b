"""The step that finds out who makes a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker.services.call import ANONYMOUS

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.call import Call


class Authenticate:
    """Gives each call its principal: the anonymous one, since there are no credentials yet."""

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        """Name the principal of the calls of an endpoint."""

        def authenticated(read: Read, call: Call) -> Awaitable[Any]:
            call.made_by(ANONYMOUS)
            return then(read, call)

        return authenticated
