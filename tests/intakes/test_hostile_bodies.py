from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.patience import PATIENCE
from tests.soak import size

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio

NAMES = st.sampled_from(
    [
        *(
            "title",
            "text",
            "tags",
            "date_happened",
            "alert_type",
            "priority",
            "host",
            "device_name",
            "related_event_id",
        ),
        *(
            "id",
            "source",
            "type",
            "specversion",
            "time",
            "subject",
            "data",
            "data_base64",
            "context",
            "content",
        ),
        *(
            "when",
            "what",
            "timeEnd",
            "panelId",
            "dashboardUID",
            "service",
            "environment",
            "outcome",
            "artifactId",
        ),
        *("payload", "summary", "timestamp", "custom_details", "links", "href", "dedup_key", "severity"),
        *("eventType", "deployment", "revision", "changelog", "user"),
    ]
)
TEXTS = st.sampled_from(
    [
        "",
        "1.0",
        "dev.cdevents.incident.resolved.0.1.0",
        "2026-03-01T10:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "/",
    ]
) | st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | TEXTS, inner, max_size=5),
    max_leaves=12,
)
KINDS = st.sampled_from(
    [
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "text/plain",
        "",
    ]
)
PATHS = st.sampled_from(
    [
        *("/api/v1/events", "/cloudevents", "/api/annotations", "/api/annotations/graphite"),
        *("/v2/enqueue", "/v2/change/enqueue"),
        *("/v1/accounts/1/events", "/v2/applications/cart/deployments.json"),
    ]
)
"""What the senders say, in any place."""
BODIES = st.dictionaries(NAMES, VALUES, max_size=12)
MENDED: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "/",
    "type": "t",
    "title": "t",
    "text": "t",
    "what": "t",
    "event_action": "trigger",
    "payload": {"summary": "t"},
    "eventType": "t",
    "deployment": {"revision": "t"},
}


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/events", {"title": "t", "text": f"%%%{' ' * 3_000_000}x"}),
        ("/api/v1/events", {"title": "t", "text": "x", "tags": ["a:b"] * 500_000}),
        ("/api/annotations", {"text": " " * 3_000_000 + "x", "tags": []}),
        (
            "/cloudevents",
            {
                "context": {"type": "dev.cdevents.service.deployed.0.2.0", "id": "1", "source": "/"},
                "subject": {"id": "s", "content": {"artifactId": f"pkg:a/{'a/' * 1_000_000}\n"}},
            },
        ),
    ],
)
async def test_no_body_keeps_the_server_busy(http: httpx2.AsyncClient, path: str, body: Any) -> None:
    async with asyncio.timeout(PATIENCE):  # where the time grows with the square of the size, it takes hours
        answer = await http.post(path, json=body)
    assert answer.status_code in (200, 202)


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_no_body_is_a_defect_of_the_server(http: httpx2.AsyncClient) -> None:
    cases: list[Any] = []

    @settings(max_examples=size(200, soak=10_000), database=None, suppress_health_check=[*HealthCheck])
    @given(PATHS, KINDS, st.booleans(), BODIES)
    def collect(path: str, kind: str, mend: bool, body: dict[str, Any]) -> None:
        cases.append((path, kind, MENDED | body if mend else body))

    collect()
    for path, kind, body in cases:
        content = json.dumps([body] if "batch" in kind else body)
        answer = await http.post(path, content=content, headers={"content-type": kind})
        assert answer.status_code < 500, (path, kind, content, answer.text)
