"""Errors arrive with their own code and reason, however long the texts of a request are, in any script.

gRPC clients take up to 8 KiB of metadata, and report another status where an error has more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc.aio
import pytest
from protobuf import DescFieldValueList, DescFieldValueMap, DescFieldValueScalar, ScalarType
from tests.clients import METHODS, STRICT, GrpcClient, Refused

from tracker.transcoding.fields import element_of, is_well_known, message_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from protobuf import DescField, DescMessage
    from tests.clients import Client

    from tracker.app import App

CHARACTERS = ("é", "語", "😀", "%", "\n")
LOCK = {"environment": "prod", "ttl": "60s"}


def filled(message: DescMessage, text: str, depth: int = 0) -> dict[str, Any]:
    """Return a message whose texts are all the same."""
    made = {field.json_name: _value(field, text, depth) for field in message.fields}
    return {name: value for name, value in made.items() if value is not None}


def _value(field: DescField, text: str, depth: int) -> Any:
    below = message_of(field)
    if isinstance(field.value, DescFieldValueMap):
        return {text[:-number] if number else text: text for number in range(3)} if below is None else None
    if below is not None:
        one: Any = None if is_well_known(below) or depth > 2 else filled(below, text, depth + 1)
    else:
        one = text if element_of(field) is ScalarType.STRING else None
    several = isinstance(field.value, DescFieldValueList)
    assert several or below is not None or isinstance(field.value, DescFieldValueScalar) or one is None
    return [one] * 3 if several and one is not None else one


async def refusal(client: Client, method: str, request: dict[str, Any]) -> Refused | None:
    try:
        await client.call(method, request)
    except Refused as error:
        return error
    return None


@pytest.fixture
async def client(app: App) -> AsyncIterator[Client]:
    host, port = app.grpc_address
    async with grpc.aio.insecure_channel(f"{host}:{port}", options=STRICT) as channel:
        yield GrpcClient(channel)


@pytest.mark.parametrize("length", [20, 190, 5_000])
async def test_errors_about_long_texts_arrive_as_what_they_are(client: Client, length: int) -> None:
    for character in CHARACTERS:
        for name, method in METHODS.items():
            if method.method_kind != "unary":
                continue
            request = filled(method.input, character * length)
            error = await refusal(client, name, request)
            if error is not None:
                assert error.reason, (name, character, error)
                assert error.code not in {"INTERNAL", "UNKNOWN", "UNAVAILABLE"}, (name, character, error)


@pytest.mark.parametrize("character", CHARACTERS[:4])
async def test_errors_that_quote_what_is_stored_arrive_as_what_they_are(
    client: Client, character: str
) -> None:
    text = character * 200
    lock = {"service": text, "who": text, "reason": character * 2_000, "resource": text, **LOCK}
    await client.call("LockService/CreateLock", lock)
    with pytest.raises(Refused) as held:
        await client.call("LockService/CreateLock", lock)
    assert (held.value.code, held.value.reason) == ("ALREADY_EXISTS", "LOCK_HELD")

    attributes = {"service": "s", "type": "drift", "source": text}
    event = {"title": "t", "attributes": attributes, "slackId": text}
    await client.call("EventService/CreateEvent", event)
    with pytest.raises(Refused) as taken:
        await client.call("EventService/CreateEvent", event)
    assert (taken.value.code, taken.value.reason) == ("ALREADY_EXISTS", "SLACK_ID_TAKEN")
