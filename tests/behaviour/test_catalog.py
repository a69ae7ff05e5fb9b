"""The catalog service, over both wires."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client


async def put(client: Client, name: str = "payments", **fields: Any) -> Any:
    body = {"name": name, "type": "project", "owner": "team-pay", "version": "1.0", **fields}
    return (await client.call("CatalogService/CreateUpdateCatalog", body))["catalog"]


async def test_an_entry_says_who_last_changed_it(client: Client) -> None:
    assert (await put(client, "till", updatedBy="ana"))["updatedBy"] == "ana"
    versions = {"name": "till", "latestVersion": "2", "updatedBy": "ben"}
    answer: Any = await client.call("CatalogService/UpdateVersions", versions)
    assert answer["catalog"]["updatedBy"] == "ben"
    answer = await client.call("CatalogService/UpdateDependencies", {"name": "till"})
    assert answer["catalog"]["updatedBy"] == ""


async def test_describing_an_entry_again_keeps_its_creation_time_and_versions(client: Client) -> None:
    first = await put(client, description="old", languages="python")
    await client.call(
        "CatalogService/UpdateVersions",
        {"name": "payments", "availableVersions": ["1", "2"], "latestVersion": "2", "referenceVersion": "1"},
    )
    again = await put(client, description="new", createdAt="2020-01-01T00:00:00Z")
    assert again["createdAt"] == first["createdAt"]
    assert again["updatedAt"] > first["updatedAt"]
    assert (again["description"], again["languages"]) == ("new", "LANGUAGES_UNSPECIFIED")
    assert (again["availableVersions"], again["latestVersion"]) == (["1", "2"], "2")
    assert (await client.call("CatalogService/GetCatalog", {"name": "payments"}))["catalog"] == again


@pytest.mark.parametrize("missing", ["name", "owner", "version"])
async def test_an_entry_needs_a_name_an_owner_and_a_version(client: Client, missing: str) -> None:
    with pytest.raises(Refused, match=f"{missing} is required") as refused:
        await put(client, **{"name": "x", missing: ""})
    assert missing in refused.value.fields


async def test_versions_and_dependencies_are_replaced_whole(client: Client) -> None:
    await put(client)
    await client.call("CatalogService/UpdateDependencies", {"name": "payments", "dependenciesIn": ["a"]})
    answer: Any = await client.call(
        "CatalogService/UpdateDependencies", {"name": "payments", "dependenciesOut": ["b"]}
    )
    assert (answer["catalog"]["dependenciesIn"], answer["catalog"]["dependenciesOut"]) == ([], ["b"])
    assert answer["catalog"]["owner"] == "team-pay"


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("GetCatalog", "no catalog found in tracker for id nobody"),
        ("DeleteCatalog", "no catalog found in tracker for id nobody"),
        ("UpdateVersions", "catalog nobody not found"),
        ("UpdateDependencies", "catalog nobody not found"),
    ],
)
async def test_an_unknown_name_is_not_found(client: Client, method: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        await client.call(f"CatalogService/{method}", {"name": "nobody"})
    assert (refused.value.code, refused.value.message) == ("NOT_FOUND", message)


async def test_a_deleted_entry_is_gone(client: Client) -> None:
    await put(client)
    answer = await client.call("CatalogService/DeleteCatalog", {"name": "payments"})
    assert answer == {"message": "catalog deleted", "name": "payments"}
    with pytest.raises(Refused):
        await client.call("CatalogService/GetCatalog", {"name": "payments"})


async def test_all_entries_are_listed_by_name_unless_a_page_is_asked_for(client: Client) -> None:
    for n in reversed(range(150)):
        await put(client, f"service {n:03}")
    everything: Any = await client.call("CatalogService/ListCatalogs", {})
    assert [entry["name"] for entry in everything["catalogs"]] == [f"service {n:03}" for n in range(150)]
    page: Any = await client.call("CatalogService/ListCatalogs", {"perPage": 100})
    rest: Any = await client.call(
        "CatalogService/ListCatalogs", {"perPage": 100, "pageToken": page["nextPageToken"]}
    )
    assert len(page["catalogs"]) + len(rest["catalogs"]) == 150
    assert rest["totalCount"] == 150


async def test_many_first_descriptions_at_once_make_one_entry(client: Client) -> None:
    await asyncio.gather(*(put(client, description=f"by {n}") for n in range(30)))
    listed: Any = await client.call("CatalogService/ListCatalogs", {})
    assert listed["totalCount"] == 1


async def test_compliance_tells_which_projects_are_behind(client: Client) -> None:
    await put(client, "lib", type="library")
    await client.call("CatalogService/UpdateVersions", {"name": "lib", "referenceVersion": "2"})
    await put(client, "web", usedDeliverables=[{"name": "lib", "versionUsed": "1"}])
    await put(client, "api", usedDeliverables=[{"name": "lib", "versionUsed": "2"}])
    answer: Any = await client.call("CatalogService/GetVersionCompliance", {})
    assert [(p["projectName"], p["compliancePercentage"]) for p in answer["projects"]] == [
        ("api", 100),
        ("web", 0),
    ]
    assert answer["summary"]["overallCompliancePercentage"] == 50
    filtered: Any = await client.call("CatalogService/GetVersionCompliance", {"types": ["chart"]})
    assert [p["totalCount"] for p in filtered["projects"]] == [0, 0]
