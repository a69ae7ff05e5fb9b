"""The page of delivery metrics: its numbers lead to the events that they count."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.behaviour.delivery import history, number

if TYPE_CHECKING:
    import httpx2
    from tests.clients import Client

MARCH = "from=2026-03-02&to=2026-03-15&zone=UTC"


@pytest.mark.parametrize("client", ["rest"], indirect=True)
async def test_each_number_leads_to_the_events_that_it_counts(
    client: Client, http: httpx2.AsyncClient
) -> None:
    ids = await history(client)
    shown = (await http.get(f"/insights/delivery?{MARCH}&method=devlake&by=service")).text
    assert "25.0%" in shown
    assert "low" in shown
    asked = {"startDate": "2026-03-02", "endDate": "2026-03-15", "timeZone": "UTC", "method": "devlake"}
    answer = await client.call("DeliveryService/GetDeliveryMetrics", asked)
    assert number(answer["total"], "change_failure_rate") == (0.25, 1, 4)
    links = {each["metric"]: each["link"] for each in answer["total"]["metrics"]}
    failed = (await http.get(links["change_failure_rate"])).text
    assert f"/events/{ids['second']}" in failed
    assert f"/events/{ids['outage']}" in failed
    assert f"/events/{ids['other']}" not in failed


async def test_what_the_address_gets_wrong_is_said(http: httpx2.AsyncClient) -> None:
    for query, named in (
        ("method=best", "method"),
        ("from=soonish", "from"),
        ("from=2001&to=2000", "start_date"),
    ):
        answer = await http.get(f"/insights/delivery?{query}")
        assert named in answer.text
        assert answer.status_code in {200, 400}
