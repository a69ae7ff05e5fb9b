"""The page that says whether something may be deployed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.clients import RestClient
from tests.web.html import page, record, send

from tracker.permissions import ALL_PERMISSIONS

if TYPE_CHECKING:
    import httpx2

    from tracker.config.settings import Settings

PATH = "/deploy-check?service=cart&environment=production&version=2"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(
        settings,
        deployment_approvals=("production=1",),
        auth_anonymous_permissions=ALL_PERMISSIONS,
    )


async def test_every_reason_leads_to_what_it_is_about(http: httpx2.AsyncClient) -> None:
    assert "Check before you deploy" in (await page(http, "/deploy-check")).text
    form = await page(http, "/deploy-check?service=cart&environment=prod")
    assert form.one("option", selected="").text == "production"
    down = await record(http, "Down", type="incident", status="open", environment="production")
    lock = {"service": "cart", "environment": "production", "who": "ana"}
    held = (await http.post("/api/v1alpha1/lock", json=lock)).json()["lock"]["id"]
    freeze = {
        "title": "Launch",
        "type": "hard",
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2199-01-01T00:00:00Z",
        "active": True,
    }
    made = (await http.post("/api/v1alpha1/freeze-window", json=freeze)).json()
    shown = await page(http, PATH)
    assert shown.one("p", class_="verdict").text.startswith("No cart 2 to production")
    links = {a.attributes["href"] for li in shown.one("ul", class_="reasons").all("li") for a in li.all("a")}
    freeze_id = (made.get("freezeWindow") or made)["id"]
    assert links == {f"/events/{down}", f"/locks/{held}", f"/freezes/{freeze_id}"}
    later = await page(http, f"{PATH}&at=2030-01-01T10:00&zone=UTC")
    assert later.one("p", class_="verdict").text.startswith("Not yet")
    assert "it may be deployed from 2199-01-01 00:00" in later.text
    assert "at: expected a time" in (await page(http, f"{PATH}&at=soon")).text


async def test_a_planned_deployment_is_approved_and_then_may_begin(http: httpx2.AsyncClient) -> None:
    given = {"version": "2", "environment": "production", "status": "waiting_approval", "owner": "core"}
    planned = await record(http, "Deploy cart 2", **given)
    offered = await page(http, PATH)
    (link,) = [a.attributes["href"] for a in offered.all("a") if a.text == "Deploy cart 2"]
    asked = await page(http, link)
    assert asked.one("p", class_="verdict").text.startswith("Not yet")
    approved = await send(http, asked, "approve", comment="tested", who="bo")
    assert approved.one("p", class_="verdict").text.startswith("Yes")
    assert "May it be deployed?" in (await page(http, f"/events/{planned}")).text


async def test_a_form_that_is_out_of_date_ends_no_deployment_that_has_begun(http: httpx2.AsyncClient) -> None:
    given = {"environment": "production", "status": "waiting_approval"}
    for action in ("approve", "reject"):
        event = await record(http, "Deploy cart 2", **given, service=action)
        shown = await page(http, f"/events/{event}")
        begun = {"id": event, "merge": True, "attributes": {"status": "start"}}
        assert (await http.put("/api/v1alpha1/event", json=begun)).status_code == 200
        after = await send(http, shown, action, comment="late", who="bo")
        assert "late" in after.text
        stored = (await http.get(f"/api/v1alpha1/event/{event}")).json()["event"]
        assert stored["attributes"]["status"] == "start"


async def test_who_may_override_begins_with_a_reason_that_stays(http: httpx2.AsyncClient) -> None:
    shown = await page(http, PATH)
    refused = await send(http, shown, "override", 400, reason=" ")
    assert "expected why it begins all the same" in refused.text
    event = await send(http, shown, "override", reason="hotfix", who="ana")
    assert event.one("h1").text == "Deploy cart 2"
    assert "hotfix" in event.text
    client = RestClient(http)
    key = await client.call("AuthService/CreateApiKey", {"name": "r", "permissions": ["event:read"]})
    reader = await page(http, PATH, **{"x-api-key": key["secret"]})
    assert "needs the permission event:write and the permission deployment:override" in reader.text
    assert not [form for form in reader.one("main").all("form") if form.attributes["method"] == "post"]
