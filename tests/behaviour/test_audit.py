"""The audit log of a running server, over both wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.audit import entries
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client


async def test_a_lock_that_is_released_by_force_is_recorded_with_caller_and_reason(client: Client) -> None:
    lock: Any = (await client.call("LockService/CreateLock", {"service": "cart", "who": "ann"}))["lock"]
    forced = {"id": lock["id"], "force": True, "who": "bob", "reason": "ann has left"}
    await client.call("LockService/UnLock", forced)
    taken, released = await entries(client, 2, record="lock", recordId=lock["id"])
    assert (taken["action"], released["action"]) == ("created", "forced")
    assert (taken["after"]["who"], released["before"]["who"]) == ("ann", "ann")
    assert released["reason"] == "ann has left"
    for each in (taken, released):
        assert each["principal"] == "anonymous"
        assert "127.0.0.1:" in each["address"]
        assert each["request_id"]
        assert each["user_agent"]


async def test_a_key_is_recorded_without_its_secret(client: Client) -> None:
    created: Any = await client.call(
        "AuthService/CreateApiKey", {"name": "ci", "permissions": ["event:read"]}
    )
    (entry,) = await entries(client, 1, record="access", mentions=created["apiKey"]["prefix"])
    assert (entry["action"], entry["after"]["apiKey"]["name"]) == ("created", "ci")
    assert created["secret"] not in entry["content"]


async def test_pages_have_all_entries_once_in_either_order(client: Client) -> None:
    for number in range(5):
        await client.call("LinkService/CreateLink", {"name": str(number), "url": "https://example.org"})
    every = [each["number"] for each in await entries(client, 5, record="link")]
    for newest_first in (False, True):
        asked: Any = {"record": "link", "limit": 2, "newestFirst": newest_first}
        found: list[int] = []
        answer: Any = await client.call("AuditService/ListAuditEntries", asked)
        found += [each["number"] for each in answer["entries"]]
        while token := answer.get("nextPageToken"):
            answer = await client.call("AuditService/ListAuditEntries", asked | {"pageToken": token})
            found += [each["number"] for each in answer["entries"]]
        assert found == (every[::-1] if newest_first else every)


async def test_a_repeated_checkpoint_or_erasure_has_its_effect_once_and_the_same_answer(
    client: Client,
) -> None:
    await client.call("LockService/CreateLock", {"service": "cart", "who": "ada@example.com"})
    await entries(client, 1, record="lock")
    for method, asked in (("EraseAuditValue", {"value": "ada@example.com"}), ("CreateAuditCheckpoint", {})):
        answer = await client.call(f"AuditService/{method}", asked, key=method)
        after = await client.call("AuditService/ListAuditEntries", {})
        assert await client.call(f"AuditService/{method}", asked, key=method) == answer
        assert await client.call("AuditService/ListAuditEntries", {}) == after


@pytest.mark.parametrize("value", ["", "ab"])
async def test_too_short_a_value_is_not_erased(client: Client, value: str) -> None:
    with pytest.raises(Refused) as refused:
        await client.call("AuditService/EraseAuditValue", {"value": value})
    assert refused.value.code == "INVALID_ARGUMENT"
