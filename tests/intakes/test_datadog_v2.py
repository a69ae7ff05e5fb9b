from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.intakes.programs import script

from tracker.domain.query.text import parse
from tracker.errors import TrackerError
from tracker.intakes.datadog_queries import period, translated
from tracker.time_text import MICROS, Clock

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio

SQLITE = pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)

EVENTS = """
import json, sys
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import ApiException
from datadog_api_client.v2.api.events_api import EventsApi
from datadog_api_client.v2 import models as m
configuration = Configuration(host=sys.argv[1], api_key={"apiKeyAuth": "k", "appKeyAuth": "a"})
with ApiClient(configuration) as client:
    api = EventsApi(client)
    def create(title, category, attributes, **more):
        payload = m.EventPayload(title=title, category=m.EventCategory(category), attributes=attributes,
                                 integration_id=m.EventPayloadIntegrationId("custom-events"), **more)
        request = m.EventCreateRequest(type=m.EventCreateRequestType("event"), attributes=payload)
        return api.create_event(m.EventCreateRequestPayload(data=request)).data.attributes.attributes.evt
    def change(title):
        return create(title, "change", m.ChangeEventCustomAttributes(
            changed_resource=m.ChangeEventCustomAttributesChangedResource(
                name="fallback", type=m.ChangeEventCustomAttributesChangedResourceType("feature_flag")),
            impacted_resources=[m.ChangeEventCustomAttributesImpactedResourcesItems(
                name="cart", type=m.ChangeEventCustomAttributesImpactedResourcesItemsType("service"))],
            author=m.ChangeEventCustomAttributesAuthor(
                name="ana", type=m.ChangeEventCustomAttributesAuthorType("user")),
            prev_value={"on": False}, new_value={"on": True},
        ), message="rollout", tags=["env:prod", "zone:b"], aggregation_key="flags", host="h1")
    def alert(status):
        return create("Disk", "alert", m.AlertEventCustomAttributes(
            status=m.AlertEventCustomAttributesStatus(status),
            priority=m.AlertEventCustomAttributesPriority("2")), tags=["service:db"], aggregation_key="disk")
    made = [change(f"Flag {n}") for n in range(3)]
    assert alert("error").uid == alert("warn").uid == alert("ok").uid != alert("error").uid
    got = api.get_event(made[0].uid).data
    assert got.id == api.get_event(made[0].id).data.id == made[0].uid
    body = m.EventsListRequest(
        filter=m.EventsQueryFilter(query="service:cart AND -host:h2", _from="now-1h", to="now"),
        sort=m.EventsSort("timestamp"), page=m.EventsRequestPage(limit=2),
        options=m.EventsQueryOptions(timezone="GMT"))
    searched = api.search_events_with_pagination(body=body)
    listed = api.list_events_with_pagination(filter_query='env:prod "Flag"', page_limit=2)
    titles = [[each.attributes.attributes.title for each in found] for found in (searched, listed)]
    statuses = [each.attributes.attributes.status.value
                for each in api.search_events(body=m.EventsListRequest()).data]
    try:
        api.list_events(page_cursor="x")
    except ApiException as error:
        titles.append([error.status, [*error.body]])
    print(json.dumps([made[0].uid, titles, statuses, got.attributes.message]))
"""


async def test_the_client_creates_gets_lists_and_searches(url: str, http: httpx2.AsyncClient) -> None:
    uid, titles, statuses, message = json.loads(await script(EVENTS, url))
    assert titles == [["Flag 0", "Flag 1", "Flag 2"], ["Flag 2", "Flag 1", "Flag 0"], [400, ["errors"]]]
    assert statuses == ["error", "success", "info", "info", "info"]
    assert message == 'rollout\n\nBefore:\n{\n  "on": false\n}\n\nAfter:\n{\n  "on": true\n}'
    attributes = (await http.get(f"/api/v1alpha1/event/{uid}")).json()["event"]["attributes"]
    wanted = {
        "type": "operation",
        "status": "done",
        "service": "cart",
        "environment": "production",
        "owner": "ana",
        "source": "datadog",
        "labels": {
            "category": "change",
            "aggregation_key": "flags",
            "host": "h1",
            "zone": "b",
            "changed_resource": "fallback",
            "changed_resource_type": "feature_flag",
        },
    }
    assert wanted.items() <= attributes.items()
    incidents = (await http.get("/api/v1alpha1/events/search?query=service:db")).json()["events"]
    assert [each["attributes"]["status"] for each in incidents] == ["open", "close"]
    assert {each["attributes"]["priority"] for each in incidents} == {"P2"}


DORA = """
import json, sys
from datetime import datetime, timezone
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import NotFoundException
from datadog_api_client.v2.api.dora_metrics_api import DORAMetricsApi
from datadog_api_client.v2 import models as m
configuration = Configuration(host=sys.argv[1], api_key={"apiKeyAuth": "k", "appKeyAuth": "a"})
with ApiClient(configuration) as client:
    api = DORAMetricsApi(client)
    def deploy(n, **more):
        attributes = m.DORADeploymentRequestAttributes(
            service="cart", started_at=(1700000000 + 60 * n) * 10**9, finished_at=1700000030000 + 60000 * n,
            version=f"1.{n}", env="prod", team="core", custom_tags=["region:eu", "x:y"],
            git=m.DORAGitInfo(commit_sha=f"{n}" * 40, repository_url="https://git/r"), **more)
        data = m.DORADeploymentRequestData(attributes=attributes)
        return api.create_dora_deployment(m.DORADeploymentRequest(data=data)).data.id
    ids = [deploy(0), deploy(1), deploy(2, id="run-2-of-pipeline")]
    assert deploy(2, id="run-2-of-pipeline") == "run-2-of-pipeline"
    def fail(**more):
        attributes = m.DORAFailureRequestAttributes(
            services=["cart", "shop"], started_at=1700000300, env="prod", version="1.1", name="Down",
            severity="High", id="0b1e6f0e-8d1f-4d7c-9a0e-7a3c6d1f2b3a", **more)
        data = m.DORAFailureRequestData(attributes=attributes)
        return api.create_dora_failure(m.DORAFailureRequest(data=data)).data.id
    failure = fail()
    assert fail(finished_at=1700000400) == failure
    rollback, forward = (m.DORADeploymentPatchRemediationType(each) for each in ("rollback", "rollforward"))
    patch = m.DORADeploymentPatchRequestAttributes(
        change_failure=True, remediation=m.DORADeploymentPatchRemediation(id=ids[2], type=rollback))
    kind = m.DORADeploymentPatchRequestDataType("dora_deployment_patch_request")
    data = m.DORADeploymentPatchRequestData(id=ids[1], type=kind, attributes=patch)
    api.patch_dora_deployment(ids[1], m.DORADeploymentPatchRequest(data=data))
    patch = m.DORADeploymentPatchByVersionRequestAttributes(
        change_failure=True, service="cart", env="prod", version="1.0",
        remediation=m.DORADeploymentPatchByVersionRemediationByVersion(version="1.1", type=forward))
    data = m.DORADeploymentPatchByVersionRequestData(
        type="dora_deployment_patch_by_version_request", attributes=patch)
    api.patch_dora_deployment_by_version(m.DORADeploymentPatchByVersionRequest(data=data))
    attributes = m.DORAListDeploymentsRequestAttributes(
        _from=datetime(2023, 11, 14, tzinfo=timezone.utc), to=datetime(2023, 11, 15, tzinfo=timezone.utc),
        limit=2, query="service:cart env:prod", sort="-started_at")
    kind = m.DORAListDeploymentsRequestDataType("dora_deployments_list_request")
    data = m.DORAListDeploymentsRequestData(type=kind, attributes=attributes)
    listed = api.list_dora_deployments(m.DORAListDeploymentsRequest(data=data)).data
    deployment = api.get_dora_deployment(ids[1]).data
    failed = api.get_dora_failure(failure).data
    api.delete_dora_deployment(ids[0])
    for get, each in ((api.get_dora_deployment, ids[0]), (api.get_dora_failure, ids[1])):
        try:
            get(each)
            raise SystemExit("found")
        except NotFoundException:
            pass
    found = [each.id for each in listed]
    print(json.dumps([found, deployment.to_dict(), failed.to_dict(), ids], default=str))
"""


async def test_the_client_reports_deployments_and_failures(url: str, http: httpx2.AsyncClient) -> None:
    listed, deployment, failed, ids = json.loads(await script(DORA, url))
    assert listed == [ids[2], ids[1]]
    wanted = {
        "service": "cart",
        "env": "production",
        "version": "1.1",
        "team": "core",
        "started_at": "2023-11-14T22:14:20+00:00",
        "finished_at": "2023-11-14T22:14:50+00:00",
        "change_failure": True,
    }
    assert deployment["attributes"] | wanted == deployment["attributes"]
    assert deployment["attributes"]["git"]["commit_sha"] == "1" * 40
    assert {"x:y", "rollforward"} == set(deployment["attributes"]["custom_tags"])
    assert (failed["attributes"]["services"], failed["attributes"]["name"]) == (["cart", "shop"], "Down")
    found = (await http.get("/api/v1alpha1/events/list")).json()["events"]
    events = {each["attributes"]["version"] + each["attributes"]["type"]: each for each in found}
    assert set(events) == {"1.1deployment", "1.2deployment", "1.1incident"}
    incident, last = events["1.1incident"]["attributes"], events["1.2deployment"]["attributes"]
    assert incident["relatedId"] == last["relatedId"] == ids[1]
    assert (incident["status"], incident["priority"], incident["endDate"]) == (
        "close",
        "P2",
        "2023-11-14T22:20:00Z",
    )
    assert (last["externalId"], last["labels"]["rollback"], last["region"]) == (ids[2], "true", "eu")


@SQLITE
async def test_what_is_malformed_is_refused_in_datadogs_form(http: httpx2.AsyncClient) -> None:
    change: dict[str, Any] = {"title": "x", "category": "change"}
    deployment: dict[str, Any] = {"service": "s", "started_at": 1700000000}
    for path, attributes, detail in (
        ("events", {"category": "change"}, "data.attributes.title: expected a text"),
        ("events", {"title": "x", "category": "odd"}, "data.attributes.category: expected one of change, "),
        ("events", change, "data.attributes.attributes.changed_resource.name: expected a text"),
        ("events", change | {"timestamp": "soon"}, "timestamp: expected a time such as "),
        ("dora/deployment", deployment | {"service": ""}, "data.attributes.service: expected a text"),
        ("dora/deployment", deployment | {"started_at": -1}, "data.attributes.started_at: expected a "),
        ("dora/deployment", deployment | {"id": "a b"}, "data.attributes.id: expected up to "),
        ("dora/failure", {"started_at": 1}, "data.attributes.services: expected services or a team"),
    ):
        answer = await http.post(f"/api/v2/{path}", json={"data": {"attributes": attributes}})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["status"], error["title"]) == (400, "400", "Bad Request")
        assert error["detail"].startswith(detail)
    for query, message in (
        ("a:[1 TO 2]", "query: values of a "),
        ("x:a?", "query: ?"),
        ("(", "query: expected the )"),
        ("a) OR (b", "query: column 2"),
    ):
        answer = await http.post("/api/v2/events/search", json={"filter": {"query": query}})
        assert answer.status_code == 400
        assert message in answer.json()["errors"][0]


@SQLITE
async def test_a_number_rounded_by_javascript_still_names_its_event(http: httpx2.AsyncClient) -> None:
    for _ in range(5):
        made = (await http.post("/api/v1/events", json={"title": "t", "text": ""})).json()["event"]
        rounded = f"{float(made['id']):.16g}"  # at most 17 digits, as JavaScript prints them
        shown = str(int(float(rounded))) if len(rounded) < 17 else f"{float(made['id']):.0f}"
        answer = await http.get(f"/api/v1/events/{shown}")
        assert (answer.status_code, answer.json()["event"]["id"]) == (200, made["id"])


NOW = Clock(1_700_000_000 * MICROS, ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("datadog", "ours"),
    [
        ("source:(github OR chef)", "source:(github OR chef)"),
        ("container_id:foo* *:bar", "label.container_id:foo* bar"),
        ('-status:(error OR info) AND (host:a:b OR @evt.name:"x y")',
         '-status:(error OR failure OR open OR none) (label.host:"a:b" OR title:"x y")'),
        ("priority:[1 TO 3] NOT team:core", "priority:P1..P3 -owner:core"),
        ("a-b OR -@x.y:low priority:low", "a\\-b OR (-label.x.y:low priority:P5)"),
        ("", ""),
    ],
)  # fmt: skip
def test_searches_become_queries(datadog: str, ours: str) -> None:
    assert parse(translated(datadog), NOW) == parse(ours, NOW)


def test_bounds_are_moments_or_counted_from_now() -> None:
    assert parse(period({}), NOW) == parse("since:15m until:now", NOW)
    given = {"from": "1700000000123", "to": "2026-01-31T00:00:00+01:00"}
    parsed = parse("since:2023-11-14T22:13:20.123Z until:2026-01-30T23:00:00Z", NOW)
    assert str(parse(period(given), NOW))[:60] == str(parsed)[:60]
    for wrong in ('"', "9" * 15):
        with pytest.raises(TrackerError):
            period({"from": wrong})
