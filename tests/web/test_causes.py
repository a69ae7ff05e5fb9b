"""What may have caused an incident, on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.web.html import Element, page, record, send

if TYPE_CHECKING:
    import httpx2


async def test_an_incident_has_its_suspects_and_a_reader_says_which_it_was(http: httpx2.AsyncClient) -> None:
    at = {"environment": "production", "startDate": "2026-03-02T08:00:00Z"}
    deployed = await record(http, "Deploy cart 1", status="success", **at)
    await record(http, "Deploy cart 2", status="success", **at | {"startDate": "2026-03-02T08:50:00Z"})
    incident = await record(
        http, "cart is down", type="incident", **at | {"startDate": "2026-03-02T09:00:00Z"}
    )
    first, second = suspects(await page(http, f"/events/{incident}"))
    assert [each.all("a")[0].text for each in (first, second)] == ["Deploy cart 2", "Deploy cart 1"]
    assert "of the same service" in first.one("ul").text
    assert "same service" in [cell.text for cell in first.all("td")]
    after = await send(http, second, "caused_by")
    first, second = suspects(after)
    assert first.all("a")[0].text == "Deploy cart 1"
    assert "it was this" in first.text
    assert not (await page(http, f"/events/{deployed}")).all("ol", class_="suspects")


async def test_a_freeze_window_that_ended_has_a_link_and_no_buttons(http: httpx2.AsyncClient) -> None:
    ended = {"startsAt": "2026-03-01T08:00:00Z", "endsAt": "2026-03-02T08:30:00Z"}
    window = {"title": "Sales", "type": "hard", "active": True, **ended}
    answer = await http.post("/api/v1alpha1/freeze-window", json=window)
    at = {"environment": "production", "startDate": "2026-03-02T09:00:00Z"}
    incident = await record(http, "cart is down", type="incident", **at)
    (freeze,) = suspects(await page(http, f"/events/{incident}"))
    (link,) = freeze.all("a")
    assert link.attributes["href"] == f"/freezes/{answer.json()['freezeWindow']['id']}"
    assert "the freeze ended, and 0 compared deployments began since" in freeze.text
    assert not freeze.all("button")


def suspects(shown: Element) -> list[Element]:
    listed = shown.one("ol", class_="suspects")
    return [part for part in listed.parts if isinstance(part, Element)]
