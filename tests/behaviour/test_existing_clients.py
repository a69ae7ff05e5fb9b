"""Requests as the clients of the Go implementation send them, byte for byte where it matters."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tracker.permissions import read_permissions

if TYPE_CHECKING:
    import httpx2

    from tracker.config.settings import Settings
    from tracker.permissions import Permission

API = "/api/v1alpha1"


@pytest.fixture
def permissions(request: pytest.FixtureRequest) -> frozenset[Permission] | None:
    """Give what callers without credentials may do; everything, unless a test says otherwise."""
    given = getattr(request, "param", None)
    return None if given is None else read_permissions(given)


@pytest.fixture
def settings(settings: Settings, permissions: frozenset[Permission] | None) -> Settings:
    workspace = '</script>&\u2028"'
    return replace(settings, slack_workspace=workspace, auth_anonymous_permissions=permissions)


OF_ACTION = "event:write"
OF_SLACK_BOT = "event:read,event:write,catalog:read"


async def post_event(http: httpx2.AsyncClient, body: Any) -> Any:
    answer = await http.post(f"{API}/event", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["event"]


@pytest.mark.parametrize("permissions", [None, OF_ACTION], indirect=True)
async def test_the_github_action_records_one_deployment_after_the_other(http: httpx2.AsyncClient) -> None:
    body = {
        "title": "Deployment service lambda",
        "attributes": {
            "message": "fix: typo",
            "source": "github_action",
            "type": 1,
            "priority": 1,
            "relatedId": "",
            "service": "lambda",
            "status": 1,
        },
        "links": {"pullRequestLink": "https://git.example/pull/1"},
    }
    first, second = await post_event(http, body), await post_event(http, body)
    assert first["attributes"]["type"] == "deployment"
    assert first["metadata"]["id"] != second["metadata"]["id"]


@pytest.mark.parametrize("permissions", [None, f"{OF_SLACK_BOT},lock:read"], indirect=True)
async def test_the_slack_bot_plans_begins_and_ends_a_deployment(http: httpx2.AsyncClient) -> None:
    slack_id = "1700000000.000100"
    body: Any = {
        "title": "Deploy payments",
        "slack_id": slack_id,
        "attributes": {
            "message": "v2",
            "priority": 2,
            "service": "payments",
            "source": "slack",
            "status": 13,
            "type": 1,
            "environment": 7,
            "impact": False,
            "start_date": "2026-01-31T12:00:00Z",
            "end_date": "",
            "owner": "ana",
            "stakeHolders": None,
            "notification": False,
            "notifications": None,
        },
        "links": {"pull_request_link": "", "ticket": ""},
    }
    event = await post_event(http, body)
    assert event["attributes"]["status"] == "planned"
    assert event["attributes"]["endDate"] is None
    assert (await http.get(f"{API}/event/{slack_id}")).json()["event"] == event
    locks = []
    for status in (12, 3):
        body["attributes"]["status"] = status
        answer = await http.put(f"{API}/event", json=body)
        assert answer.status_code == 200, answer.text
        locks.append((await http.get(f"{API}/locks/list")).json()["totalCount"])
    assert locks == [1, 0]
    entry = {
        "timestamp": "2026-01-31T12:00:00Z",
        "user": "bo",
        "change_type": "commented",
        "field": "",
        "old_value": "",
        "new_value": "",
        "comment": "looks good",
    }
    answer = await http.post(f"{API}/event/{slack_id}/changelog", json={"entry": entry})
    assert answer.json()["event"]["changelog"][-1]["changeType"] == "commented"


@pytest.mark.parametrize("permissions", [OF_SLACK_BOT], indirect=True)
async def test_clients_without_credentials_do_no_more_than_they_are_allowed(http: httpx2.AsyncClient) -> None:
    assert (await http.get(f"{API}/catalogs/list")).status_code == 200
    for verb, path in (
        ("GET", f"unlock/{uuid.uuid4()}"),
        ("POST", "lock"),
        ("GET", "locks/list"),
        ("PUT", "catalog"),
        ("GET", "auth/api-keys"),
    ):
        answer = await http.request(verb, f"{API}/{path}", json=None if verb == "GET" else {})
        assert (answer.status_code, answer.json()["message"]) == (401, "authentication required"), path


async def test_the_slack_bot_reads_json_errors(http: httpx2.AsyncClient) -> None:
    answer = await http.get(f"{API}/event/1800000000.000100")
    assert answer.status_code == 404
    assert answer.json()["message"] == "no event found in tracker for id 1800000000.000100"


async def test_the_slack_bot_searches_by_dates_with_an_offset(http: httpx2.AsyncClient) -> None:
    await post_event(
        http,
        {
            "title": "x",
            "attributes": {"service": "a", "type": "drift", "start_date": "2026-01-31T12:00:00Z"},
        },
    )
    answer = await http.get(
        f"{API}/events/search?start_date=2026-01-31T13:00:00%2B02:00&end_date=2026-01-31T14:00:00%2B02:00"
    )
    assert answer.json()["totalCount"] == 1


async def test_productplan_probes_for_an_event_before_it_creates_or_updates_it(
    http: httpx2.AsyncClient,
) -> None:
    def body(milestone: str) -> Any:
        return {
            "title": f"Milestone {milestone}",
            "slack_id": milestone,
            "attributes": {
                "service": "roadmap",
                "type": 1,
                "status": 13,
                "priority": 1,
                "environment": 7,
                "stackHolders": ["ana"],
            },
            "links": {},
        }

    assert (await http.get(f"{API}/event/123456")).status_code == 404
    await post_event(http, body("123456"))
    assert (await http.get(f"{API}/event/123456")).status_code == 200
    assert (await http.put(f"{API}/event", json=body("123456"))).status_code == 200


async def test_the_load_generator_sends_names_in_lower_case_and_fields_nobody_knows(
    http: httpx2.AsyncClient,
) -> None:
    for environment, expected in (("tnr", "TNR"), ("uat", "UAT"), ("production", "production")):
        event = await post_event(
            http,
            {
                "title": "x",
                "attributes": {
                    "service": "a",
                    "type": "incident",
                    "environment": environment,
                    "startDate": "2026-01-31T12:00:00.123Z",
                },
                "links": {"ticket": "OPS-1"},
                "slackId": str(uuid.uuid4().int)[:10],
                "slackChannel": "C123",
            },
        )
        assert event["attributes"]["environment"] == expected
    answer = await http.put(
        f"{API}/catalog",
        json={
            "name": "lib",
            "type": "library",
            "languages": "python",
            "owner": "ana",
            "version": "1",
            "platform": "kubernetes",
            "sla": {"level": "critical", "uptimePercentage": 99.99, "responseTimeMs": 100, "description": ""},
            "usedDeliverables": [{"name": "x", "type": "package", "versionUsed": "1", "description": ""}],
        },
    )
    assert answer.json()["catalog"]["sla"]["uptimePercentage"] == 99.99


async def test_the_web_interface_sends_an_event_back_as_it_got_it(http: httpx2.AsyncClient) -> None:
    event = await post_event(
        http,
        {"title": "x", "attributes": {"service": "a", "type": 3, "status": 9}, "slackId": "1.5", "links": {}},
    )
    back = {key: event[key] for key in ("attributes", "links")}
    answer = await http.put(f"{API}/event", json={"title": "y", "id": event["metadata"]["id"], **back})
    assert answer.json()["event"]["metadata"]["slackId"] == "1.5"
    assert answer.json()["event"]["attributes"] == event["attributes"]


async def test_the_web_interface_sends_names_that_are_none(http: httpx2.AsyncClient) -> None:
    entry = {"name": "a", "owner": "b", "version": "1", "type": "rpa_usage", "platform": "unspecified"}
    answer = await http.put(f"{API}/catalog", json=entry)
    assert answer.status_code == 200
    assert answer.json()["catalog"]["type"] == "TYPE_UNSPECIFIED"


async def test_the_web_interface_asks_for_whole_lists(http: httpx2.AsyncClient) -> None:
    for query in ("catalogs/list?perPage=500", "catalogs/list", "events/list?perPage=1000&page=1"):
        answer = (await http.get(f"{API}/{query}")).json()
        assert answer["totalCount"] == 0
        assert [] in answer.values()


async def test_the_web_interface_tells_a_conflict_by_its_words(http: httpx2.AsyncClient) -> None:
    lock = {"service": "payments", "who": "ana", "environment": "uat"}
    assert (await http.post(f"{API}/lock", json=lock)).status_code == 200
    refused = await http.post(f"{API}/lock", json=lock)
    assert refused.status_code == 409
    assert "already locked" in refused.json()["message"]
    event = {
        "title": "x",
        "attributes": {"service": "payments", "type": 1, "status": 1, "environment": "UAT"},
    }
    refused = await http.post(f"{API}/event", json=event)
    assert refused.status_code == 409
    said = "cannot create event: service payments is already locked in UAT. Please unlock it first"
    assert refused.json()["message"].startswith(said)


@pytest.mark.parametrize(
    "path",
    [
        "/events/list?perPage=10&page=1&type=deployment&service=payments&status=success",
        "/events/today?perPage=10&page=1",
        "/events/search?source=ci&type=deployment&impact=true&slackId=2.2",
        "/events/{event}",
        "/catalog/list?perPage=10&page=1",
        "/catalog/payments",
        "/locks/list?perPage=10&page=1",
        "/locks/{lock}",
    ],
)
async def test_every_tool_of_the_mcp_server_finds_its_route(http: httpx2.AsyncClient, path: str) -> None:
    event = await post_event(
        http,
        {
            "title": "x",
            "slackId": "2.2",
            "attributes": {
                "service": "payments",
                "type": "deployment",
                "status": "success",
                "source": "ci",
                "impact": True,
            },
        },
    )
    await http.put(f"{API}/catalog", json={"name": "payments", "owner": "a", "version": "1"})
    lock = (await http.post(f"{API}/lock", json={"service": "payments"})).json()["lock"]
    answer = await http.get(API + path.format(event=event["metadata"]["id"], lock=lock["id"]))
    assert answer.status_code == 200
    body = answer.json()
    assert body.get("totalCount", 1) == 1


@pytest.mark.parametrize(
    ("verb", "path"), [("GET", "/unlock/{}"), ("DELETE", "/lock/{}"), ("POST", "/lock/{}/unlock")]
)
async def test_a_lock_is_released_the_old_way_and_the_proper_ways(
    http: httpx2.AsyncClient, verb: str, path: str
) -> None:
    lock = (await http.post(f"{API}/lock", json={"service": "payments"})).json()["lock"]
    answer = await http.request(verb, API + path.format(lock["id"]))
    assert answer.json().items() >= {"message": "lock deleted", "id": lock["id"], "count": "1"}.items()


async def test_safe_methods_release_no_lock_but_the_old_get_of_one_without_a_token(
    http: httpx2.AsyncClient,
) -> None:
    token = "t" * 40
    free, owned = [
        (await http.post(f"{API}/lock", json={"service": "payments", **more})).json()["lock"]["id"]
        for more in ({}, {"resource": "db", "lockToken": token})
    ]
    for verb in ("HEAD", "OPTIONS", "TRACE"):
        answer = await http.request(verb, f"{API}/unlock/{free}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    for lock in (free, owned):
        answer = await http.get(f"{API}/unlock/{lock}?force=true&reason=x")
        assert answer.status_code == 400
        assert f"POST {API}/lock/{lock}/unlock" in answer.json()["message"]
    for query in ("", f"?lockToken={token}"):
        answer = await http.get(f"{API}/unlock/{owned}{query}")
        assert answer.status_code == 403
        assert f"POST {API}/lock/{owned}/unlock" in answer.json()["message"]
    assert (await http.get(f"{API}/unlock/{free}?reason=x&force=false&lock_token=x")).status_code == 200
    assert [each["id"] for each in (await http.get(f"{API}/locks/list")).json()["locks"]] == [owned]


async def test_a_client_of_links_reads_errors_in_either_shape(http: httpx2.AsyncClient) -> None:
    for body in ({}, {"name": "x"}, {"url": "https://x.example"}, {"name": " ", "url": ""}):
        answer = await http.post("/api/links", json=body)
        assert answer.status_code == 400
        assert answer.json()["error"] == "name and url are required"
        assert answer.json()["message"].startswith(answer.json()["error"])
    for verb, path in (("PUT", "/none"), ("DELETE", "/none"), ("PATCH", ""), ("GET", "/a/b")):
        answer = await http.request(verb, f"/api/links{path}", json={"name": "x", "url": "https://x.example"})
        assert answer.status_code in {404, 405}
        assert answer.json()["error"] == answer.json()["message"]
    assert "error" not in (await http.get(f"{API}/event/none")).json()


async def test_errors_of_fields_are_the_sentences_of_the_go_implementation(http: httpx2.AsyncClient) -> None:
    body = {"title": "x", "attributes": {"service": "a", "type": "drift"}}
    event = f"{API}/event/{(await post_event(http, body))['metadata']['id']}"
    for verb, path, message in (
        ("POST", f"{event}/changelog", "changelog entry cannot be nil"),
        ("POST", f"{event}/slack", "slack_id cannot be empty"),
        ("GET", f"{API}/events/stats", "start_date and end_date are required"),
        ("PUT", f"{API}/catalog", "name is required; owner is required; version is required"),
        (
            "GET",
            f"{API}/events/search?startDate=2026-02-01&endDate=2026-01-01",
            "start_date 2026-02-01 and end_date 2026-01-01 are inversed",
        ),
    ):
        answer = await http.request(verb, path, content=b"" if verb == "GET" else b"{}")
        assert (answer.status_code, answer.json()["message"]) == (400, message)


async def test_a_page_beyond_the_last_is_empty_whatever_its_number(http: httpx2.AsyncClient) -> None:
    body = {"title": "x", "attributes": {"service": "a", "type": "drift"}}
    event = (await post_event(http, body))["metadata"]["id"]
    await http.post(f"{API}/lock", json={"service": "a"})
    await http.put(f"{API}/catalog", json={"name": "a", "owner": "b", "version": "1"})
    lists = ("events/list?", "events/today?", "events/search?service=a&", "locks/list?", "catalogs/list?")
    for path in (*lists, f"event/{event}/changelog?"):
        for page in ("2", "1000001", "2147483647", "4294967295", "9" * 5000):
            answer = await http.get(f"{API}/{path}page={page}&perPage=1000")
            assert answer.status_code == 200, (path, page)
            assert [] in answer.json().values()
            assert answer.json()["totalCount"] == 1
        assert (await http.get(f"{API}/{path}page=-1")).status_code == 400


async def test_the_web_page_gets_its_configuration(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/config.js")
    assert answer.headers["cache-control"] == "no-store"
    script = answer.text.removeprefix("window.TRACKER_CONFIG = ").removesuffix(";\n")
    assert json.loads(script) == {
        "jira": {"domain": "your-domain.atlassian.net", "projectKey": ""},
        "slack": {"workspace": '</script>&\u2028"', "eventsChannel": ""},
        "demoMode": False,
        "buyMeCoffeeUrl": "https://buymeacoffee.com/jplanckeel",
        "homerUrl": "",
        "clarityProjectId": "",
    }
    assert not set("<>&\u2028") & set(script)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"title":"x"}', b'{"title":"x","attributes":null}'])
async def test_a_create_without_its_fields_is_refused_and_the_server_lives_on(
    http: httpx2.AsyncClient, body: bytes
) -> None:
    answer = await http.post(f"{API}/event", content=body)
    assert answer.status_code == 400
    assert answer.json()["code"] == 3
    assert (await http.get("/readyz")).status_code == 200


async def test_an_empty_id_names_no_event(http: httpx2.AsyncClient) -> None:
    await post_event(http, {"title": "x", "attributes": {"service": "a", "type": "drift"}})
    assert (await http.get(f"{API}/event/")).status_code == 404
