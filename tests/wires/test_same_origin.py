from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.api.http_exchange import HttpResponse
from tracker.api.routes import HttpRoute
from tracker.pb.options import only_reads
from tracker.transcoding.bindings import ONE, http_bindings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx2
    from tests.wires.standin import StandIn

    from tracker.api.routes import HttpRequest
    from tracker.services.context import Call

OWN: Sequence[dict[str, str]] = (
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"origin": "http://{host}"},
    {},
)
"""Headers of a page of this server, of an address that was typed, and of clients that are no browser."""

FOREIGN = (
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://{host}"},
    {"origin": "https://other.example"},
    {"origin": "http://{host}.other.example"},
    {"origin": "http://{host}1"},
    {"origin": "null"},
)
"""Headers of pages of other sites."""


@pytest.fixture
def stand_in(stand_in: StandIn) -> StandIn:
    async def receive(_request: HttpRequest, _call: Call) -> HttpResponse:
        return HttpResponse(b"", ())

    stand_in.routes += [
        HttpRoute("POST", "/receive", receive, None),
        HttpRoute("GET", "/page", receive, None),
    ]
    return stand_in


async def statuses(
    rest: httpx2.AsyncClient, stand_in: StandIn, headers: dict[str, str], *, changes: bool
) -> set[int]:
    """Return the statuses of all calls that change something, or of all others, from where `headers` say."""
    requests = [
        (binding.verb, "/" + "/".join("x" if part == ONE else part for part in binding.template.segments))
        for method in stand_in.methods
        if method.rpc is not None and only_reads(method.rpc) is not changes and not method.streams
        for binding in http_bindings(method.rpc)
    ]
    requests.append(("POST", "/receive") if changes else ("GET", "/page"))
    host = str(rest.base_url.netloc, "ascii")
    sent = {name: value.replace("{host}", host) for name, value in headers.items()}
    sent["content-type"] = "application/json"
    return {
        (await rest.request(verb, path, content=None if verb == "GET" else b"{}", headers=sent)).status_code
        for verb, path in requests
    }


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_page_of_another_site_reads_but_changes_nothing(
    rest: httpx2.AsyncClient, stand_in: StandIn, headers: dict[str, str]
) -> None:
    assert await statuses(rest, stand_in, headers, changes=True) == {403}
    assert stand_in.asked == []
    assert 403 not in await statuses(rest, stand_in, headers, changes=False)


@pytest.mark.parametrize("headers", OWN, ids=str)
async def test_own_pages_and_other_clients_change_what_they_like(
    rest: httpx2.AsyncClient, stand_in: StandIn, headers: dict[str, str]
) -> None:
    assert 403 not in await statuses(rest, stand_in, headers, changes=True)


async def test_the_answer_says_why(rest: httpx2.AsyncClient) -> None:
    response = await rest.get("/api/v1alpha1/unlock/x", headers={"Origin": "https://other.example"})
    body = response.json()
    assert (response.status_code, body["details"][0]["reason"]) == (403, "CROSS_ORIGIN")
    assert body["message"] == "a page of another site (https://other.example) may not change anything here"


@pytest.mark.parametrize(
    ("agent", "status"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", 403),
        ("Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0; en-US) PowerShell/7.5", 200),
        ("curl/8.5.0", 200),
    ],
)
async def test_a_browser_that_does_not_say_who_asks_changes_nothing_by_get(
    rest: httpx2.AsyncClient, agent: str, status: int
) -> None:
    response = await rest.get("/api/v1alpha1/unlock/x", headers={"user-agent": agent})
    assert response.status_code == status
    response = await rest.post("/api/v1alpha1/lock/x/unlock", json={}, headers={"user-agent": agent})
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/cloudevents+json", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=application/json", 415),
        ("", 415),
    ],
)
async def test_a_browser_must_send_json(rest: httpx2.AsyncClient, content_type: str, status: int) -> None:
    path, body = "/api/v1alpha1/event/1/slack", b'{"slackId": "s"}'
    headers = {"Content-Type": content_type, "Sec-Fetch-Site": "same-origin"}
    assert (await rest.post(path, content=body, headers=headers)).status_code == status
    del headers["Sec-Fetch-Site"]
    assert (await rest.post(path, content=body, headers=headers)).status_code == 200


async def test_a_browser_may_send_no_body(rest: httpx2.AsyncClient) -> None:
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert (await rest.delete("/api/v1alpha1/event/1", headers=headers)).status_code == 200
