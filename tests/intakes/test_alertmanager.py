from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import RestClient

if TYPE_CHECKING:
    import httpx2
    from tests.clients import JsonObject

    from tracker.app import App
    from tracker.config.settings import Settings

pytestmark = pytest.mark.anyio

PATH = "/api/v1alpha1/integrations/alertmanager/webhook"
FIRST, SECOND = "2026-03-01T10:00:00.123456789Z", "2026-03-01T12:00:00Z"


def alert(
    status: str, starts: str, ends: str = "0001-01-01T00:00:00Z", fingerprint: str = "a1"
) -> JsonObject:
    return {
        "status": status,
        "labels": {
            "alertname": "Slow",
            "service": "cart",
            "env": "prod",
            "severity": "critical",
            "zone": "b",
            "status": "x",
        },
        "annotations": {"summary": "Cart is slow", "description": "p99 is 3 s", "runbook_url": "https://r/1"},
        "startsAt": starts,
        "endsAt": ends,
        "generatorURL": "http://prometheus:9090/graph?g0.expr=1",
        "fingerprint": fingerprint,
    }


def message(*alerts: JsonObject, status: str = "firing", cut: int = 0) -> JsonObject:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="Slow"}',
        "truncatedAlerts": cut,
        "status": status,
        "receiver": "tracker",
        "groupLabels": {"alertname": "Slow"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": [*alerts],
    }


async def send(http: httpx2.AsyncClient, sent: JsonObject) -> list[Any]:
    """Send a message, and return the incidents that there are, the latest one first."""
    answer = await http.post(PATH, json=sent)
    assert (answer.status_code, answer.json()) == (200, {"status": "recorded"}), answer.text
    return list((await http.get("/api/v1alpha1/events/list")).json()["events"])


def states(incidents: list[Any]) -> list[tuple[str, str]]:
    return [(each["attributes"]["status"], each["metadata"].get("elapsed", "")) for each in incidents]


async def test_an_alert_is_an_incident_until_it_is_resolved(http: httpx2.AsyncClient) -> None:
    for _ in range(2):
        (incident,) = await send(http, message(alert("firing", FIRST)))
        assert incident["title"] == "Cart is slow"
        wanted = {
            "message": "p99 is 3 s",
            "source": "alertmanager",
            "type": "incident",
            "status": "open",
            "service": "cart",
            "environment": "production",
            "priority": "P1",
        }
        assert wanted.items() <= incident["attributes"].items()
        assert incident["attributes"]["labels"] == {
            "alertname": "Slow",
            "severity": "critical",
            "zone": "b",
            "status": "x",
            "fingerprint": "a1",
            "url": "http://prometheus:9090/graph?g0.expr=1",
            "runbook_url": "https://r/1",
        }
    for sent in (alert("resolved", FIRST, "2026-03-01T11:00:00.123456Z"), alert("firing", FIRST)):
        for _ in range(2):  # also if it comes again, and late
            assert states(await send(http, message(sent, status="resolved"))) == [("close", "3600s")]


async def test_the_status_of_a_group_counts_for_no_alert(http: httpx2.AsyncClient) -> None:
    await send(http, message(alert("firing", FIRST), alert("firing", FIRST, fingerprint="b2"), cut=1))
    ended = alert("resolved", FIRST, SECOND)
    incidents = await send(http, message(ended, status="resolved", cut=1))
    by_fingerprint = {each["attributes"]["labels"]["fingerprint"]: each for each in incidents}
    assert by_fingerprint["a1"]["attributes"]["status"] == "close"
    assert by_fingerprint["b2"]["attributes"]["status"] == "open"
    assert [each["attributes"]["labels"]["uncertain"] for each in incidents] == ["true", "true"]
    incidents = await send(http, message(alert("firing", FIRST, fingerprint="b2")))
    assert ["uncertain" in each["attributes"]["labels"] for each in incidents].count(True) == 1


async def test_what_is_resolved_is_the_latest_incident_whatever_start_it_is_said_to_have(
    http: httpx2.AsyncClient,
) -> None:
    await send(http, message(alert("firing", "2026-03-01T10:00:00Z")))
    for _ in range(2):
        incidents = await send(http, message(alert("resolved", SECOND, "2026-03-01T13:00:00Z")))
        assert states(incidents) == [("close", "10800s")]
    incidents = await send(http, message(alert("firing", "2026-03-01T14:00:00Z")))
    assert [each["attributes"]["status"] for each in incidents] == ["open", "close"]
    incidents = await send(http, message(alert("resolved", SECOND, "2026-03-01T13:00:00Z")))
    assert [each["attributes"]["status"] for each in incidents] == ["open", "close"]


async def test_what_was_never_announced_is_recorded_once_when_it_is_resolved(
    http: httpx2.AsyncClient,
) -> None:
    for _ in range(2):
        incidents = await send(http, message(alert("resolved", SECOND, "2026-03-01T13:00:00Z")))
        assert states(incidents) == [("close", "3600s")]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"alerts": {}},
        {"alerts": [1]},
        message({"status": "firing"}),
        message(alert("pending", FIRST)),
        message(alert("firing", "today")),
        message(alert("firing", FIRST) | {"labels": []}),
    ],
)
async def test_what_is_no_message_is_refused(http: httpx2.AsyncClient, body: Any) -> None:
    answer = await http.post(PATH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 3), answer.text
    assert (await http.get("/api/v1alpha1/events/list")).json()["events"] == []


class TestWithCredentials:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, auth_anonymous_permissions=frozenset())

    async def test_a_key_is_a_bearer_token_or_a_password(self, app: App, http: httpx2.AsyncClient) -> None:
        admin = RestClient(http).bearing(app.access.first_key)
        asked = {"name": "alerts", "permissions": ["event:read", "event:write"]}
        key = (await admin.call("AuthService/CreateApiKey", asked))["secret"]
        sent = message(alert("firing", FIRST))
        bearer = await http.post(PATH, json=sent, headers={"authorization": f"Bearer {key}"})
        basic = await http.post(PATH, json=sent, auth=("alertmanager", key))
        none = await http.post(PATH, json=sent)
        assert [each.status_code for each in (bearer, basic, none)] == [200, 200, 401]
