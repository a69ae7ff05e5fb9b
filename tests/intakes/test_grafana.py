from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.intakes.programs import script

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio

PATH = "/api/annotations"

ALL_OF_IT = """
import json, sys
from grafana_client import GrafanaApi
grafana = GrafanaApi.from_url(sys.argv[1]).annotations
first = grafana.add_annotation(
    time_from=1700000000000, time_to=1700000060000, text="Deployed\\nin two steps",
    tags=["service:cart", "env:prod", "canary"], dashboard_uid="abc", panel_id=7)
second = grafana.add_annotation_graphite(what="Event", tags=["outage"], when=1700000100, data="all is down")
def listed(**more):
    return grafana.get_annotation(time_from=1699999999000, time_to=1700000200000, **more)
answers = [first, second, listed(), listed(tags=["env:prod", "canary"]), listed(tags=["canary", "outage"])]
given = {"text": "Deployed again", "tags": ["service:cart", "slow"]}
answers.append(grafana.partial_update_annotation(first["id"], **given))
given = {"text": "Outage", "tags": ["outage"], "time_from": 1700000110000}
answers.append(grafana.update_annotation(second["id"], **given))
answers += [listed(), grafana.delete_annotations_by_id(second["id"]), listed()]
print(json.dumps(answers))
"""


async def test_the_client_creates_lists_changes_and_deletes(url: str, http: httpx2.AsyncClient) -> None:
    first, second, both, by_tags, by_none, *changes = json.loads(await script(ALL_OF_IT, url))
    assert (first["message"], second["message"]) == ("Annotation added", "Graphite annotation added")
    assert [each["id"] for each in both] == [second["id"], first["id"]]
    assert ([each["id"] for each in by_tags], by_none) == ([first["id"]], [])
    annotation = both[1]
    assert (annotation["text"], annotation["time"], annotation["timeEnd"]) == (
        *("Deployed\nin two steps", 1700000000000, 1700000060000),
    )
    assert set(annotation["tags"]) >= {"service:cart", "canary"}
    assert (annotation["dashboardUID"], annotation["panelId"]) == ("abc", 7)
    assert both[0]["text"] == "Event\nall is down"
    patched, updated, after, deleted, left = changes
    assert [each["message"] for each in (patched, updated, deleted)] == [
        *("Annotation patched", "Annotation updated", "Annotation deleted"),
    ]
    assert (after[1]["text"].split("\n")[0], after[1]["time"]) == ("Deployed again", 1700000000000)
    assert {"slow", "service:cart"} <= set(after[1]["tags"])
    assert "canary" not in after[1]["tags"]
    assert (after[0]["time"], [each["id"] for each in left]) == (1700000110000, [first["id"]])
    event = (await http.get("/api/v1alpha1/events/list")).json()["events"][0]
    wanted = {"service": "cart", "environment": "production", "type": "operation", "source": "grafana"}
    assert wanted.items() <= event["attributes"].items()


async def test_tags_are_counted(http: httpx2.AsyncClient) -> None:
    for tag in ("nothing else", "flux"):
        content = {"text": "Synced", "tags": [tag, "app:cart"], "time": 1700000000000}
        assert (await http.post(PATH, json=content)).status_code == 200
    listed = (await http.get(PATH, params={"matchAny": "true", "tags": ["flux", "nothing"]})).json()
    assert [each["time"] for each in listed] == [1700000000000]
    found = (await http.get(f"{PATH}/tags", params={"tag": "APP"})).json()
    assert found == {"result": {"tags": [{"tag": "app:cart", "count": 2}]}}
    assert (await http.get(PATH, params={"type": "alert"})).json() == []


async def test_errors_have_grafanas_form(http: httpx2.AsyncClient) -> None:
    answer = await http.post(PATH, json={"tags": []})
    assert (answer.status_code, answer.json()) == (400, {"message": "text: expected a text"})
    answer = await http.delete(f"{PATH}/1")
    assert (answer.status_code, [*answer.json()]) == (404, ["message"])
