from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.intakes.programs import node, run, script

from tracker.intakes.numbers import beginning_of, number_of

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio

PATH = "/api/v1/events"

CREATE_GET_AND_LIST = """
import json, sys
from datadog import api, initialize
initialize(api_key="k", app_key="a", api_host=sys.argv[1], mute=False)
first = api.Event.create(
    title="Deployed", text="%%% \\n**done**\\n %%%", date_happened=1700000000, alert_type="success",
    priority="low", aggregation_key="run-7", source_type_name="jenkins", host="h1",
    tags=["service:cart", "env:prod", "version:1.2", "team:core", "type:deployment", "canary", "zone:b"],
)["event"]
second = api.Event.create(title="Broke", text="", date_happened=1700000100, related_event_id=first["id"],
                          alert_type="error", tags=["service:cart"], attach_host_name=False)["event"]
lists = [
    api.Event.query(start=1699999999, end=1700000200, **more)["events"]
    for more in ({}, {"tags": "env:prod,team:core,canary"}, {"sources": "jenkins,x", "priority": "low"},
                 {"priority": "normal", "unaggregated": True, "page": 0}, {"tags": "zone:c"})
]
print(json.dumps([first, second, api.Event.get(first["id"])["event"], lists]))
"""


async def test_the_client_for_python_creates_gets_and_lists(url: str, http: httpx2.AsyncClient) -> None:
    first, second, got, lists = json.loads(await script(CREATE_GET_AND_LIST, url))
    assert got == first
    assert first["id"] == int(first["id_str"]) < 2**63
    assert (first["title"], first["text"], first["date_happened"]) == ("Deployed", "**done**", 1700000000)
    assert (first["alert_type"], first["priority"], first["host"]) == ("success", "low", "h1")
    assert set(first["tags"]) >= {
        "service:cart",
        "version:1.2",
        "team:core",
        "type:deployment",
        "canary",
        "zone:b",
    }
    assert second["related_event_id"] == first["id"]
    ids = [[event["id"] for event in found] for found in lists]
    both = [second["id"], first["id"]]
    assert ids == [both, both[1:], both[1:], both[:1], []]
    event = (await http.get(first["url"].replace("/events/", "/api/v1alpha1/event/"))).json()["event"]
    attributes = event["attributes"]
    assert attributes["labels"] == {
        "team": "core",
        "canary": "true",
        "zone": "b",
        "host": "h1",
        "aggregation_key": "run-7",
    }
    wanted = {
        "service": "cart",
        "environment": "production",
        "version": "1.2",
        "owner": "core",
        "type": "deployment",
        "status": "success",
        "priority": "P5",
        "source": "jenkins",
        "message": "**done**",
        "startDate": "2023-11-14T22:13:20Z",
    }
    assert wanted.items() <= attributes.items()


async def test_dogshell_and_dogwrap_report(url: str) -> None:
    shell = ("dogshell", "--api_host", url, "--api-key", "k", "--application-key", "a")
    printed = await run(
        *shell, "--raw", "event", "post", "title", "msg", "--tags", "env:prod", "--alert_type", "error"
    )
    posted = json.loads(printed)["event"]
    shown = json.loads(await run(*shell, "--raw", "event", "show", posted["id_str"]))["event"]
    assert (shown["title"], shown["text"], shown["alert_type"]) == ("title", "msg", "error")
    await run(
        "dogwrap", "-n", "nightly", "-k", "k", "-s", url, "-m", "all", "--tags", "env:prod", "exit 3", code=3
    )
    failed = (await run(*shell, "event", "stream", "1h")).splitlines()
    assert any("nightly failed" in line for line in failed)


async def test_the_client_for_typescript_creates_gets_lists_and_searches(url: str) -> None:
    assert json.loads(await node("datadog.js", url, "k")) == {
        "created": "Déployé",
        "got": ["Déployé", ["service:cart", "env:production", "type:operation", "status:success"]],
        "listed": ["Déployé"],
        "v2": "Flag on",
        "found": ["Flag on", "Déployé"],
        "deployment": "dora_deployment",
    }


async def test_a_key_is_a_token_wherever_datadog_has_it(http: httpx2.AsyncClient) -> None:
    body = {"title": "t", "text": "x"}
    made = await http.post("/api/v1alpha1/auth/api-keys", json={"name": "dd", "permissions": ["event:write"]})
    secret = made.json()["secret"]
    for headers, query in (({"DD-API-KEY": secret}, {}), ({}, {"api_key": secret})):
        answer = await http.post(PATH, json=body, headers=headers, params=query)
        assert answer.status_code == 202
        event = (await http.get(f"/api/v1alpha1/event/{answer.json()['event']['url'][-36:]}")).json()["event"]
        assert event["metadata"]["createdBy"].startswith("apikey:")
        valid = await http.get("/api/v1/validate", headers=headers, params=query)
        assert (valid.status_code, valid.json()) == (200, {"valid": True})
    wrong = await http.post(PATH, json=body, headers={"DD-API-KEY": f"{secret}x"})
    assert (wrong.status_code, [*wrong.json()]) == (401, ["errors"])
    assert (await http.get("/api/v1/validate", headers={"DD-API-KEY": f"{secret}x"})).json() == wrong.json()
    refused = await http.get(PATH, params={"start": 0, "end": 1}, headers={"DD-API-KEY": secret})
    assert (refused.status_code, refused.json()) == (403, {"errors": ["permission event:read required"]})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"text": "x"}, "title: expected a text"),
        ({"title": "t", "date_happened": "soon"}, "date_happened: expected an integer"),
        ({"title": "t", "alert_type": "loud"}, "alert_type: expected one of error, "),
        ([], "expected a JSON object"),
    ],
)
async def test_errors_have_datadogs_form(http: httpx2.AsyncClient, body: Any, message: str) -> None:
    answer = await http.post(PATH, json=body)
    assert (answer.status_code, [*answer.json()]) == (400, ["errors"])
    assert answer.json()["errors"][0].startswith(message)


async def test_an_unknown_number_is_not_found(http: httpx2.AsyncClient) -> None:
    for number in ("1", str(2**63 - 1), "9" * 19):
        answer = await http.get(f"{PATH}/{number}")
        assert (answer.status_code, [*answer.json()]) == (404, ["errors"])


async def test_no_two_of_many_events_have_one_number(http: httpx2.AsyncClient) -> None:
    event = {"title": "t", "attributes": {"service": "s", "type": "operation"}}
    events = [event | {"title": f"t{n}"} for n in range(1000)]
    (await http.post("/api/v1alpha1/events/import", json={"events": events})).raise_for_status()
    for _ in range(3):
        (await http.post(PATH, json={"title": "t", "text": ""})).raise_for_status()
    found = (await http.get(PATH, params={"start": 0, "end": 9999999999})).json()["events"]
    assert len({each["id"] for each in found}) == len(found) == 1000
    for each in found[::250]:
        assert (await http.get(f"{PATH}/{each['id']}")).json()["event"] == each


@given(st.uuids())
def test_the_number_of_any_id_leads_back_to_it(uuid: UUID) -> None:
    for version in (4, 7):
        event_id = str(UUID(int=uuid.int & ~(0xF << 76) | version << 76))
        assert 0 <= number_of(event_id) < 2**63
        assert event_id.startswith(beginning_of(number_of(event_id)))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_compressed_bodies_are_read_within_their_limit(http: httpx2.AsyncClient, coding: str) -> None:

    compress = gzip.compress if coding == "gzip" else zlib.compress
    headers = {"content-encoding": coding}
    content = compress(json.dumps({"title": "t", "text": "x" * 5000}).encode())
    assert (await http.post(PATH, content=content, headers=headers)).status_code == 202
    for body, status in ((compress(b" " * 5_000_000), 413), (content[:-1], 400), (content + b"x", 400)):
        answer = await http.post(PATH, content=body, headers=headers)
        assert (answer.status_code, [*answer.json()]) == (status, ["errors"])


async def test_an_event_that_a_token_may_not_read_is_as_one_that_does_not_exist(
    http: httpx2.AsyncClient,
) -> None:
    sent = {"title": "Hidden", "text": "", "tags": ["service:payments"]}
    hidden = (await http.post(PATH, json=sent)).json()["event"]["id"]
    narrowed = {"name": "cart", "permissions": ["event:read", "event:write"], "services": ["cart"]}
    key = (await http.post("/api/v1alpha1/auth/api-keys", json=narrowed)).json()["secret"]
    http.headers["dd-api-key"] = key
    answers = []
    for each in (hidden, 7):
        got = await http.get(f"{PATH}/{each}")
        related: dict[str, Any] = {"title": "Mine", "text": "", "tags": ["service:cart"]}
        made = (await http.post(PATH, json=related | {"related_event_id": each})).json()["event"]
        assert made["related_event_id"] is None
        answers.append((got.status_code, got.text.replace(str(each), "N")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
