"""The RPCs as pages call them: the same handlers, with the rights of the page's reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from tracker.api.calls.access import Authorize
from tracker.api.calls.endpoint import Chain
from tracker.api.calls.steps import Validate
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protobuf import Message

    from tracker.api.calls.endpoint import Endpoint, Handler

M = TypeVar("M", bound="Message")


class Rpcs:
    """Calls RPCs that read, through the steps of the chain that check permission and request.

    The page's own call has passed the other steps: it is observed, timed and limited as a whole.
    """

    def __init__(self, methods: Iterable[Endpoint]) -> None:
        chain = Chain(Authorize(), Validate())
        self._handlers: dict[type[Message], Handler] = {
            method.rpc.input.type: chain.compose(method)
            for method in methods
            if method.rpc is not None and not method.streams
        }

    async def ask(self, request: Message, answer: type[M], page: Call) -> M:
        """Return the answer to a request that the reader of a page makes.

        Raises:
            TrackerError: As the RPC does; UNAUTHENTICATED or PERMISSION_DENIED if the reader may not ask.
        """
        call = Call(page.wire, page.request_id, page.peer, page.headers, page.timeout)
        call.principal, call.answer = page.principal, page.answer
        found: Any = await self._handlers[type(request)](cast("Any", request), call)
        if not isinstance(found, answer):
            raise TypeError(f"{type(request).__name__} is answered by {type(found).__name__}")
        return found
