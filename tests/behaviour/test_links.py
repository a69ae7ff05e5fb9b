"""The link service, over both wires, and its own shape over REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import UNKNOWN
from tests.behaviour.keys import bearer
from tests.clients import Refused

if TYPE_CHECKING:
    import httpx2
    from tests.clients import Client


async def add(client: Client, **fields: Any) -> Any:
    body = {"name": "Grafana", "url": "https://grafana.example", **fields}
    return (await client.call("LinkService/CreateLink", body))["link"]


async def test_links_are_listed_by_group_and_name(client: Client) -> None:
    await add(client, name="b", group="Z")
    await add(client, name="b")
    await add(client, name="a")
    listed: Any = await client.call("LinkService/ListLinks", {})
    assert [(link["group"], link["name"]) for link in listed["links"]] == [
        ("Custom", "a"),
        ("Custom", "b"),
        ("Z", "b"),
    ]


async def test_an_update_replaces_a_link_whole(client: Client) -> None:
    link = await add(client, icon="chart", description="Dashboards")
    answer: Any = await client.call(
        "LinkService/UpdateLink", {"id": link["id"], "name": "Kibana", "url": "http://kibana.example"}
    )
    assert "icon" not in answer["link"]
    assert answer["link"]["created_at"] == link["created_at"]


@pytest.mark.parametrize(
    "broken", [{"name": " "}, {"url": ""}, {"url": "javascript:alert(1)"}, {"url": "ftp://files.example"}]
)
@pytest.mark.parametrize("method", ["CreateLink", "UpdateLink"])
async def test_a_link_needs_a_name_and_a_web_address(client: Client, method: str, broken: Any) -> None:
    link = await add(client)
    body = {"name": "x", "url": "https://x.example", **broken}
    if method == "UpdateLink":
        body["id"] = link["id"]
    with pytest.raises(Refused) as refused:
        await client.call(f"LinkService/{method}", body)
    assert refused.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("method", ["UpdateLink", "DeleteLink"])
async def test_an_unknown_link_is_not_found(client: Client, method: str) -> None:
    with pytest.raises(Refused) as refused:
        await client.call(
            f"LinkService/{method}",
            {"id": UNKNOWN} | ({"name": "x", "url": "https://x.example"} if method == "UpdateLink" else {}),
        )
    assert refused.value.code == "NOT_FOUND"


async def test_over_rest_links_are_a_bare_list_with_status_201_and_204(http: httpx2.AsyncClient) -> None:
    created = await http.post("/api/links", json={"name": "Grafana", "url": "https://grafana.example"})
    assert created.status_code == 201
    assert created.headers["content-type"] == "application/json"
    link = created.json()
    assert set(link) == {"id", "group", "name", "url", "created_at", "updated_at"}
    assert (await http.get("/api/links")).json() == [link]
    deleted = await http.delete(f"/api/links/{link['id']}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await http.get("/api/links")).json() == []


async def test_a_private_link_is_that_of_its_holder_alone(client: Client) -> None:
    reader, other = await bearer(client, "reader", "event:read"), await bearer(client, "other", "links:write")
    view = await add(reader, private=True, url="/events?q=status:failure")
    shared = await add(client)
    listed = [
        [each["id"] for each in (await who.call("LinkService/ListLinks"))["links"]]
        for who in (reader, other, client)
    ]
    assert listed == [[view["id"]], [], [shared["id"]]]
    change = {"name": "mine", "url": "/timeline"}
    wanted = [
        (reader, view, "OK"),
        (reader, shared, "PERMISSION_DENIED"),
        (other, view, "NOT_FOUND"),
        (other, shared, "OK"),
        (client, view, "NOT_FOUND"),
    ]
    for who, link, code in wanted:
        for method in ("UpdateLink", "DeleteLink"):
            answered = "OK"
            try:
                await who.call(
                    f"LinkService/{method}", {"id": link["id"], **(change if method == "UpdateLink" else {})}
                )
            except Refused as refused:
                answered = refused.code
            assert answered == code, (method, link)
        if code == "OK" and link is view:
            view = await add(reader, private=True, url="/events")
    with pytest.raises(Refused, match="need credentials"):
        await add(client, private=True)
    with pytest.raises(Refused, match="links:write"):
        await add(reader)


@pytest.mark.parametrize("url", ["//example.org", "/\\example.org", "/a b", "events"])
async def test_a_view_is_a_path_of_this_server(client: Client, url: str) -> None:
    with pytest.raises(Refused, match="a path of this server"):
        await add(client, url=url)
