"""Idempotency keys of several principals."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING

import pytest

from tracker.domain.access import ANONYMOUS, Principal, PrincipalKind
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.services.context import Call
from tracker.services.idempotency import IdempotencyKeys, request_digest
from tracker.stores.idempotency import KeyUse

if TYPE_CHECKING:
    from protobuf import Message

    from tracker.services.context import Context
    from tracker.stores.base import Store

ANA, BEN = (Principal(f"user:{name}", PrincipalKind.USER, name, ()) for name in ("ana", "ben"))
METHOD = next(each for each in event_pb.desc().services[0].methods if each.name == "ImportEvents")


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


async def answered(_request: Message, _call: Call) -> Message:
    return METHOD.output.type()


async def not_asked(_request: Message, _call: Call) -> Message:
    raise AssertionError


@pytest.mark.parametrize(("principal", "stored"), [(ANONYMOUS, "a-key"), (ANA, "user:ana\ta-key")])
async def test_the_store_has_a_hash_of_a_key_and_its_principal(
    keys: IdempotencyKeys, store: Store, context: Context, principal: Principal, stored: str
) -> None:
    await keys.answer(METHOD, METHOD.input.type(), a_call(principal), answered)
    hashed = f"sha256\t{hashlib.sha256(stored.encode()).hexdigest()}"
    known = [await store.idempotency.find(key, context.now()) for key in (hashed, stored)]
    assert [each is not None for each in known] == [True, False]


@pytest.mark.parametrize(("principal", "stored"), [(ANONYMOUS, "a-key"), (ANA, "user:ana\ta-key")])
async def test_a_key_that_an_earlier_version_stored_is_still_known(
    keys: IdempotencyKeys, store: Store, context: Context, principal: Principal, stored: str
) -> None:
    use = KeyUse(stored, request_digest(METHOD, METHOD.input.type()), context.now())
    await store.idempotency.remember(use, METHOD.output.type().to_binary())
    await keys.answer(METHOD, METHOD.input.type(), a_call(principal), not_asked)
    use = KeyUse(f"{stored}2", b"another request", context.now())
    await store.idempotency.remember(use, b"")
    call = a_call(principal)
    call.headers = {"idempotency-key": "a-key2"}
    with pytest.raises(TrackerError, match="another request"):
        await keys.answer(METHOD, METHOD.input.type(), call, not_asked)
