"""The step that checks a request against the rules of its proto."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker.transcoding.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from protobuf import Message

    from tracker.api.calls.endpoint import Endpoint, Handler
    from tracker.services.call import Call


class Validate:
    """Refuses requests that break the rules."""

    def __init__(self) -> None:
        self._rules = Rules()

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        if endpoint.rpc is None:
            return then
        check = self._rules.check
        self._rules.compile(endpoint.rpc.input.type)  # now: the first call would wait for it

        def validated(request: Message, call: Call) -> Awaitable[Any]:
            check(request)
            return then(request, call)

        return validated
