"""States of Terraform, on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.web.html import page, record

if TYPE_CHECKING:
    import httpx2

pytestmark = pytest.mark.anyio


async def test_states_are_shown_with_their_versions_and_who_holds_them(http: httpx2.AsyncClient) -> None:
    assert "There is none yet" in (await page(http, "/states")).one("main").text
    for path in ("/terraform/network/prod", "/terraform/dns"):
        for serial in (1, 2):
            state: dict[str, object] = {
                "version": 4,
                "serial": serial,
                "resources": [{}],
                "terraform_version": "1.11.4",
            }
            (await http.post(path, json=state)).raise_for_status()
    lock = {"ID": "x", "Who": "ana@host", "Operation": "OperationTypeApply"}
    (await http.request("LOCK", "/terraform/network/prod", json=lock)).raise_for_status()
    shown = await page(http, "/states")
    rows = {row.all("a")[0].text: row for row in shown.one("table", id="states").one("tbody").all("tr")}
    assert set(rows) == {"network/production", "dns"}
    assert all(text in rows["network/production"].text for text in ("ana@host", "terraform apply"))
    assert "ana" not in rows["dns"].text
    versions = await page(http, rows["network/production"].all("a")[0].attributes["href"])
    assert len(versions.one("table", id="versions").one("tbody").all("tr")) == 2
    assert "1.11.4" in versions.one("table", id="versions").text
    await page(http, "/states?state=unknown")


async def test_an_event_leads_to_what_shares_its_trace(http: httpx2.AsyncClient) -> None:
    trace = "a" * 32
    event = await record(http, "Deploy cart", traceId=trace)
    await record(http, "Migrate cart", traceId=trace)
    shown = await page(http, f"/events/{event}")
    (href,) = [a.attributes["href"] for a in shown.one("main").all("a") if a.text == trace]
    assert "Migrate cart" in (await page(http, href)).text
