"""The page of what runs where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.web.html import describe, page, record

if TYPE_CHECKING:
    import httpx2
    from tests.web.html import Element


def cells(shown: Element) -> list[list[str]]:
    """Return the versions of each row, the service first."""
    return [
        [" ".join(each.text for each in cell.all("a", class_="version")) for cell in row.all("td")]
        for row in shown.one("table").one("tbody").all("tr")
    ]


async def deploy(http: httpx2.AsyncClient, version: str, day: int, **attributes: Any) -> str:
    at = f"2026-01-{day:02}T00:00:00Z"
    given = {"environment": "production", "startDate": at, "endDate": at, **attributes}
    return await record(http, f"Deploy {version}", version=version, **given)


async def test_versions_lead_to_their_deployments_and_are_shown_as_of_a_moment(
    http: httpx2.AsyncClient,
) -> None:
    assert "No deployment yet" in (await page(http, "/matrix")).one("main").text
    await deploy(http, "1", 1, environment="UAT")
    old = await deploy(http, "1", 2)
    await deploy(http, "2", 3, environment="UAT")
    await deploy(http, "2", 4)
    await deploy(http, "1", 5)
    await deploy(http, "2.1", 6, status="failure")
    await deploy(http, "7", 3, service="pay/x", region="eu")
    shown = await page(http, "/matrix")
    assert [each.text for each in shown.all("th", scope="col")] == ["Service", "UAT", "production"]
    assert cells(shown) == [["2", "1"], ["", "7"]]
    text = shown.one("tbody").text
    assert "rolled back from 2" in text
    assert "1 version behind UAT" in text
    assert "2.1: failure" in text
    past = await page(http, "/matrix?at=2026-01-02T12:00&zone=UTC")
    assert cells(past) == [["1", "1"]]
    assert past.all("a", href=f"/events/{old}")


async def test_the_first_and_the_last_moment_of_the_calendar_are_shown_in_every_zone(
    http: httpx2.AsyncClient,
) -> None:
    weekly = {
        "title": "Weekends",
        "startsAt": "2026-01-30T16:00:00Z",
        "duration": "P2D",
        "rrule": "FREQ=WEEKLY",
        "timezone": "UTC",
        "active": True,
        "type": "HARD",
    }
    assert (await http.post("/api/v1alpha1/freeze-window", json=weekly)).status_code == 200
    for at, period in (
        ("0001-01-01T00:00:00Z", "from=0001-01-01&to=0001-01-02"),
        ("9999-12-31T23:59:59.999999999Z", "from=9999-12-30&to=9999-12-31"),
    ):
        id_ = await record(http, "Deploy", environment="UAT", startDate=at, endDate=at, version=at[:4])
        moment = f"at={at[:19]}Z&than={at[:19]}Z"
        pages = [f"{each}?{period}" for each in ("events", "timeline", "insights")]
        for zone in ("America/New_York", "Asia/Tokyo"):
            check = f"deploy-check?service=cart&environment=UAT&{moment}"
            for path in (f"events/{id_}?", f"matrix?{moment}", check, *pages):
                shown = await page(http, f"/{path}&zone={zone}")
                assert at[:4] in shown.one("main").text, path


async def test_moments_and_environments_are_compared_in_words(http: httpx2.AsyncClient) -> None:
    await deploy(http, "1", 1, environment="UAT")
    await deploy(http, "1", 1)
    await deploy(http, "2", 3, environment="UAT")
    await deploy(http, "5", 3, service="pay")
    compared = await page(http, "/matrix?than=2026-01-02")
    assert cells(compared) == [["2", "1"], ["", "5"]]
    words = [each.text for each in compared.all("span", class_="notes")]
    assert words == ["changed, was 1", "1 version behind UAT", "new, nothing ran then"]
    assert cells(await page(http, "/matrix?than=2026-01-02&changes=1")) == [["2", ""], ["", "5"]]
    beside = await page(http, "/matrix?environment=uat&against=prod")
    assert cells(beside) == [["2", "1"], ["", "5"]]
    assert "not in production" in beside.text
    assert [each.text for each in beside.all("option", selected="")] == ["UAT", "production"]
    assert "Nothing differs" in (await page(http, "/matrix?than=2026-01-04&changes=1")).text


async def test_filters_leave_services_and_the_file_has_the_same(http: httpx2.AsyncClient) -> None:
    await describe(http, "pay", owner="core")
    await deploy(http, "=1", 1)
    await deploy(http, "2.5", 1, service="pay")
    for filters in ("service=p*y", "service=pa&team=core", "version=2.*", "team=core"):
        answer = await http.get(f"/matrix.csv?{filters}")
        assert [row.split(",")[0] for row in answer.text.splitlines()[1:]] == ["pay"]
    assert "'=1" in (await http.get("/matrix.csv")).text
    assert "No version is found" in (await page(http, "/matrix?service=none")).text
    assert "at: expected a time" in (await page(http, "/matrix?at=soon")).text
