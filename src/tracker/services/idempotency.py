"""Calls with an idempotency key: a repeated call has no further effect, and gets the first answer.

After draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
from typing import TYPE_CHECKING, Final, TypeVar

from protobuf import message_to_json_value

from tracker.errors import Code, FieldViolation, Reason, TrackerError, invalid
from tracker.pb.options import answered_once
from tracker.stores.idempotency import AnsweredBeforeError, KeyUnderWayError, KeyUse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from protobuf import DescMethod, Message

    from tracker.services.context import Call, Context
    from tracker.stores.idempotency import IdempotencyStore


M = TypeVar("M", bound="Message")

KEY_PATTERN: Final = r'"((?:[ !#-\[\]-~]|\\["\\]){1,255})"|([!#-+\--:<-\[\]-~]{1,255})'
"""A string of RFC 8941, with or, as most clients send it, without quotation marks."""
_KEY = re.compile(KEY_PATTERN)
_SHOWN = 60
_ESCAPED = re.compile(r"\\(.)")


def idempotency_key(given: str) -> str:
    """Return the key in a header.

    Raises:
        TrackerError: INVALID_ARGUMENT; it is malformed.
    """
    found = _KEY.fullmatch(given)
    if found is None:
        message = (
            "Idempotency-Key: expected 1 to 255 visible ASCII characters, in quotation marks if there are"
            f' spaces, commas or semicolons among them, got "{given[:_SHOWN]}"'
        )
        raise invalid(FieldViolation("", message))
    quoted, bare = found.groups()
    return bare or _ESCAPED.sub(r"\1", quoted)


def request_digest(method: DescMethod, request: Message) -> bytes:
    """Return the SHA-256 of an RPC and its request."""
    asked = [method.parent.type_name, method.name, message_to_json_value(request)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).digest()


class IdempotencyKeys:
    """Answers the calls that have a key and may change something.

    The store remembers an answer together with the change, or after it where the service does not have it do
    so: secrets in the answer are left out then. An error is not remembered: a failed call has changed
    nothing, and may be repeated. Where that is uncertain, as after a deadline or an unconfirmed write, the
    store knows the key if the change was made.
    """

    def __init__(self, store: IdempotencyStore, context: Context) -> None:
        self._store = store
        self._context = context
        self._under_way: dict[str, bytes] = {}

    async def answer(
        self,
        method: DescMethod,
        request: Message,
        call: Call,
        handler: Callable[[Message, Call], Awaitable[Message]],
    ) -> Message:
        """Answer a call, by `handler` unless its key has been used.

        Raises:
            TrackerError: INVALID_ARGUMENT, the key is malformed; ABORTED, another call with it is under way;
                FAILED_PRECONDITION, it was used for another request; or what `handler` raises.
        """
        key, also = _stored_keys(call)
        asked = request_digest(method, request)
        if key in self._under_way:
            raise _under_way() if self._under_way[key] == asked else _reused()
        self._under_way[key] = asked
        try:
            call.use = use = KeyUse(key, asked, self._context.now())
            await self._require_unused(use, also)
            try:
                answer = await handler(request, call)
            except TrackerError as error:
                if error.code is not Code.UNAVAILABLE:
                    await self._require_unused(use, also)  # another server may be answering the same call
                raise
            if not call.remembered:
                await self._store.remember(use, _without_secrets(answer).to_binary())
        except AnsweredBeforeError as error:
            answered = error.answered
        except KeyUnderWayError:
            raise _under_way() from None
        else:
            return answer
        finally:
            del self._under_way[key]
        if answered.request != asked:
            raise _reused()
        self._context.report(call, "answered as before")
        return method.output.type.from_binary(answered.answer)

    async def _require_unused(self, use: KeyUse, also: str) -> None:
        answered = await self._store.find(use.key, use.at, also=also)
        if answered is not None:
            raise AnsweredBeforeError(answered)


def _without_secrets(answer: M) -> M:
    names = answered_once(answer.desc())
    if names:
        answer = copy.copy(answer)
        for name in names:
            setattr(answer, name, "")
    return answer


def _stored_keys(call: Call) -> tuple[str, str]:
    """Return the key as the store has it, hashed, and as earlier versions stored it.

    Each principal has keys of its own. No key has a tab in it.
    """
    key = idempotency_key(call.idempotency_key or "")
    own = key if call.principal.is_anonymous else f"{call.principal.id}\t{key}"
    return f"sha256\t{hashlib.sha256(own.encode()).hexdigest()}", own


def _under_way() -> TrackerError:
    return TrackerError(
        Reason.IDEMPOTENCY_KEY_UNDER_WAY,
        "a call with this Idempotency-Key is under way, or was cut off a moment ago; repeat it later",
    )


def _reused() -> TrackerError:
    return TrackerError(
        Reason.IDEMPOTENCY_KEY_REUSED,
        "this Idempotency-Key was used for another request; a new request needs a new key",
    )
