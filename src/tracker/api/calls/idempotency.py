"""The step that answers a call with a used idempotency key as it was answered before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracker.pb.methods import only_reads

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from protobuf import Message

    from tracker.api.calls.endpoint import Endpoint, Handler
    from tracker.services.call import Call
    from tracker.services.idempotency import IdempotencyKeys


class Idempotency:
    """Looks up the idempotency keys of calls that may change something."""

    def __init__(self, keys: IdempotencyKeys) -> None:
        self._keys = keys

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        rpc = endpoint.rpc
        if rpc is None or endpoint.streams or only_reads(rpc):
            return then
        answer = self._keys.answer

        def once(request: Message, call: Call) -> Awaitable[Any]:
            if call.idempotency_key is None:
                return then(request, call)
            return answer(rpc, request, call, then)

        return once
