"""What runs where, over both wires and on both stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import request
from tests.behaviour.keys import bearer
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client


async def deployed(client: Client, service: str, version: str, day: int, **attributes: Any) -> None:
    at = f"2026-03-{day:02}T08:00:00Z"
    given = {"environment": "production", "status": "success", "startDate": at, "endDate": at, **attributes}
    event = request(f"Deploy {service} {version}", service=service, version=version, **given)
    await client.call("EventService/CreateEvent", event)


async def listed(client: Client, **fields: Any) -> Any:
    return await client.call("VersionService/GetDeployedVersions", fields)


def rows(answer: Any) -> list[tuple[str, str, str]]:
    return [(each["service"], each["environment"], each["version"]) for each in answer.get("versions", ())]


async def test_what_runs_where_now_and_at_a_moment_past(client: Client) -> None:
    for service, version, day, given in (
        ("shop", "1", 1, {"environment": "UAT"}),
        ("shop", "1", 2, {}),
        ("shop", "2", 3, {"environment": "UAT"}),
        ("shop", "3", 4, {"status": "failure"}),
        ("api", "7", 3, {}),
        ("api", "8", 5, {"type": "operation"}),
    ):
        await deployed(client, service, version, day, **given)
    answer = await listed(client)
    assert rows(answer) == [("api", "production", "7"), ("shop", "UAT", "2"), ("shop", "production", "1")]
    production = answer["versions"][2]
    assert (production["behindPreviousEnvironment"], production["later"]["version"]) == (1, "3")
    assert rows(await listed(client, service="shop", environment="UAT")) == [("shop", "UAT", "2")]
    past = await listed(client, asOf="2026-03-02T12:00:00Z")
    assert rows(past) == [("shop", "UAT", "1"), ("shop", "production", "1")]
    changed = await listed(client, comparedWith="2026-03-02T12:00:00Z")
    assert [(each["service"], each.get("comparedVersion", "")) for each in changed["versions"]] == [
        ("api", ""),
        ("shop", "1"),
    ]


async def test_services_come_in_pages(client: Client) -> None:
    for service in ("c", "a", "b"):
        await deployed(client, service, "1", 1)
    first = await listed(client, limit=2)
    assert [row[0] for row in rows(first)] == ["a", "b"]
    rest = await listed(client, limit=2, pageToken=first["nextPageToken"])
    assert [row[0] for row in rows(rest)] == ["c"]
    assert not rest.get("nextPageToken")
    narrow = await bearer(client, "narrow", "event:read", services=["b"])
    assert [row[0] for row in rows(await listed(narrow))] == ["b"]
    assert rows(await listed(narrow, service="a")) == []
    with pytest.raises(Refused, match=r"page_?[tT]oken"):
        await listed(client, service="a", pageToken=first["nextPageToken"])
    with pytest.raises(Refused, match=r"as_?[oO]f"):
        await listed(client, asOf="yesterday-ish")


async def test_services_and_versions_are_chosen_and_environments_compared(client: Client) -> None:
    for service, version, environment in (
        ("shop-web", "2.1", "UAT"),
        ("shop-web", "2.0", "production"),
        ("shop-api", "3", "UAT"),
        ("shop-api", "3", "production"),
        ("pay", "2.7", "production"),
    ):
        await deployed(client, service, version, 1, environment=environment)
    await client.call("CatalogService/CreateUpdateCatalog", {"name": "pay", "owner": "core", "version": "1"})
    assert {row[0] for row in rows(await listed(client, services=["*api", "p*"]))} == {"shop-api", "pay"}
    assert rows(await listed(client, team="core")) == [("pay", "production", "2.7")]
    assert [row[2] for row in rows(await listed(client, version="2.*"))] == ["2.7", "2.1", "2.0"]
    asked = {"environment": "UAT", "comparedEnvironment": "production"}
    assert [
        (each["service"], each.get("version", ""), each["comparedVersion"])
        for each in (await listed(client, **asked))["versions"]
    ] == [("pay", "", "2.7"), ("shop-web", "2.1", "2.0")]
    assert len((await listed(client, **asked, unchanged=True))["versions"]) == 3
    assert (await listed(client))["environments"] == ["UAT", "production"]
    for wrong, field in (
        ({"comparedEnvironment": "UAT"}, "environment"),
        ({**asked, "comparedWith": "2026-01-01"}, r"compared_?[wW]ith"),
    ):
        with pytest.raises(Refused, match=field):
            await listed(client, **wrong)


async def test_an_entry_of_the_catalog_follows_what_was_deployed_unless_it_is_pinned(client: Client) -> None:
    entry = {"name": "lib", "type": "library", "owner": "core", "version": "1"}
    uses = [{"name": "lib", "versionUsed": "3"}]
    await client.call("CatalogService/CreateUpdateCatalog", entry)
    project = {"name": "shop", "type": "project", "owner": "core", "version": "1", "usedDeliverables": uses}
    await client.call("CatalogService/CreateUpdateCatalog", project)

    async def stored() -> Any:
        return (await client.call("CatalogService/GetCatalog", {"name": "lib"}))["catalog"]

    async def use() -> Any:
        answer: Any = await client.call("CatalogService/GetVersionCompliance", {})
        return answer["projects"][0]["deliverables"][0]

    assert not (await stored()).get("observed")
    for version, day, environment in (("2", 1, "production"), ("3", 2, "UAT")):
        await deployed(client, "lib", version, day, environment=environment)
    found = await stored()
    assert (found["version"], found["observed"]["version"]) == ("1", "2")
    assert (found["observed"]["environment"], found["observed"]["latestVersion"]) == ("production", "3")
    assert ((await use())["latestVersion"], (await use())["isLatest"]) == ("3", True)
    narrow = await bearer(client, "catalog alone", "catalog:read")
    seen: Any = await narrow.call("CatalogService/GetCatalog", {"name": "lib"})
    assert not seen["catalog"].get("observed")
    await client.call("CatalogService/CreateUpdateCatalog", {**entry, "versionPinned": True})
    assert not (await stored()).get("observed")
    assert not (await use()).get("isLatest")
