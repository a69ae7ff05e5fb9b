"""Calls end with their deadline, and work stops when nobody waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.clients import Refused

if TYPE_CHECKING:
    import httpx2
    from tests.clients import Client

    from tracker.config.settings import Settings


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A server that gives a call so little time that none can be done."""
    return replace(settings, call_timeout=0.000_001)


async def test_a_call_that_takes_too_long_is_ended(client: Client) -> None:
    body = {"title": "x", "attributes": {"service": "a", "type": "drift"}}
    with pytest.raises(Refused) as refused:
        await asyncio.wait_for(client.call("EventService/CreateEvent", body), 10)
    assert refused.value.code == "DEADLINE_EXCEEDED"
    assert refused.value.reason == "DEADLINE_EXCEEDED"


async def test_over_rest_a_deadline_is_a_gateway_timeout(http: httpx2.AsyncClient) -> None:
    body = {"title": "x", "attributes": {"service": "a", "type": "drift"}}
    answer = await http.post("/api/v1alpha1/event", json=body)
    assert answer.status_code == 504
