"""What `/metrics` tells of events and calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import create
from tests.behaviour.servers import metrics
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client

    from tracker.app import App


async def test_an_event_is_counted_by_its_status_and_timed_when_it_ends(app: App, client: Client) -> None:
    event = await create(client, status="start", environment="production")
    done = {**event["attributes"], "status": "success"}
    await client.call("EventService/UpdateEvent", {"id": event["metadata"]["id"], "attributes": done})
    text = await metrics(app)
    labels = 'environment="production",service="payments",status='
    assert f'tracker_event_status_total{{{labels}"start"}} 1.0' in text
    assert f'tracker_event_status_total{{{labels}"success"}} 1.0' in text
    assert f'tracker_event_duration_seconds_count{{{labels}"success"}} 1.0' in text


async def test_an_event_that_is_refused_is_not_counted(app: App, client: Client) -> None:
    running: dict[str, Any] = {"status": "start", "environment": "production"}
    await create(client, **running)
    with pytest.raises(Refused):
        await create(client, **running)
    text = await metrics(app)
    assert 'environment="production",service="payments",status="start"} 1.0' in text


async def test_calls_are_counted_by_method_wire_and_code(app: App, client: Client) -> None:
    await create(client)
    with pytest.raises(Refused):
        await create(client, "")
    text = await metrics(app)
    for code in ("OK", "INVALID_ARGUMENT"):
        name = "tracker.event.v1alpha1.EventService/CreateEvent"
        assert f'tracker_rpc_seconds_count{{code="{code}",method="{name}",wire="{client.wire}"}} 1.0' in text
