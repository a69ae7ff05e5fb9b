"""The step that determines who makes a call."""

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
