"""Idempotency keys of several principals."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tracker.domain.access import ANONYMOUS, Principal, PrincipalKind
from tracker.pb import event_pb
from tracker.pb.options import is_idempotent
from tracker.services.context import Call
from tracker.services.idempotency import IdempotencyKeys

if TYPE_CHECKING:
    from protobuf import Message

    from tracker.services.context import Context
    from tracker.stores.base import Store

ANA, BEN = (Principal(f"user:{name}", PrincipalKind.USER, name, ()) for name in ("ana", "ben"))
METHOD = next(method for method in event_pb.desc().services[0].methods if is_idempotent(method))


@pytest.fixture
def keys(store: Store, context: Context) -> IdempotencyKeys:
    return IdempotencyKeys(store.idempotency, context)


def a_call(principal: Principal) -> Call:
    call = Call("rest", "1", "", {"idempotency-key": "a-key"})
    call.principal = principal
    return call


async def test_each_principal_has_keys_of_its_own(keys: IdempotencyKeys) -> None:
    calls = itertools.count(1)
    made: list[int] = []

    async def handler(_request: Message, _call: Call) -> Message:
        made.append(next(calls))
        return METHOD.output.type()

    for principal in (ANONYMOUS, ANA, BEN) * 2:
        await keys.answer(METHOD, METHOD.input.type(), a_call(principal), handler)
    assert made == [1, 2, 3]


async def test_the_store_has_an_anonymous_key_as_it_was_given(
    keys: IdempotencyKeys, store: Store, context: Context
) -> None:
    async def handler(_request: Message, _call: Call) -> Message:
        return METHOD.output.type()

    await keys.answer(METHOD, METHOD.input.type(), a_call(ANONYMOUS), handler)
    await keys.answer(METHOD, METHOD.input.type(), a_call(ANA), handler)
    stored = ("a-key", "user:ana\ta-key", "b-key")
    known = [await store.idempotency.find(key, context.now()) for key in stored]
    assert [answered is not None for answered in known] == [True, True, False]
