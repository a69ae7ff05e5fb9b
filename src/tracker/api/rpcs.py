"""The RPCs as plain routes call them: the same handlers, with the rights of the route's caller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from tracker.api.calls.access import Authorize
from tracker.api.calls.endpoint import Chain
from tracker.api.calls.steps import Idempotency, Validate
from tracker.pb.options import only_reads
from tracker.services.context import Call

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from protobuf import Message

    from tracker.api.calls.endpoint import Endpoint, Handler
    from tracker.services.idempotency import IdempotencyKeys

M = TypeVar("M", bound="Message")


class Rpcs:
    """Calls RPCs through the steps of the chain that check permission, request and idempotency key.

    The route's own call has passed the other steps: it is observed, timed and limited as a whole.
    """

    def __init__(self, methods: Iterable[Endpoint], keys: IdempotencyKeys) -> None:
        chain = Chain(Authorize(), Validate(), Idempotency(keys))
        self._reads: dict[type[Message], Handler] = {}
        self._changes: dict[type[Message], Handler] = {}
        for method in methods:
            if method.rpc is not None and not method.streams:
                handlers = self._reads if only_reads(method.rpc) else self._changes
                handlers[method.rpc.input.type] = chain.compose(method)

    async def ask(self, request: Message, answer: type[M], outer: Call) -> M:
        """Return the answer to a request that the caller of a route makes, and that changes nothing.

        Raises:
            TrackerError: As the RPC does; UNAUTHENTICATED or PERMISSION_DENIED if the caller may not ask.
        """
        return await _ask(self._reads, request, answer, _call_of(outer))

    async def change(self, request: Message, answer: type[M], outer: Call, key: str | None = None) -> M:
        """Return the answer to a change that the caller of a route makes, once for each key.

        Without a key, that of the caller counts, if it sent one; with an empty one, none does.

        Raises:
            TrackerError: As the RPC does; UNAUTHENTICATED or PERMISSION_DENIED if the caller may not ask.
        """
        call = _call_of(outer)
        if key is not None:
            call.headers = {name: value for name, value in outer.headers.items() if name != "idempotency-key"}
        if key:
            call.headers = {**call.headers, "idempotency-key": key}
        call.did = outer.did
        try:
            return await _ask(self._changes, request, answer, call)
        finally:
            outer.did = call.did


def _call_of(outer: Call) -> Call:
    call = Call(outer.wire, outer.request_id, outer.peer, outer.headers, outer.timeout)
    call.principal, call.answer, call.session = outer.principal, outer.answer, outer.session
    call.observed = outer.observed
    return call


async def _ask(handlers: Mapping[type[Message], Handler], request: Message, answer: type[M], call: Call) -> M:
    found: Any = await handlers[type(request)](cast("Any", request), call)
    if not isinstance(found, answer):
        raise TypeError(f"{type(request).__name__} is answered by {type(found).__name__}")
    return found
