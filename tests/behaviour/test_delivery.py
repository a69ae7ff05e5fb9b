"""How well software is delivered, over both wires and on both stores."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.delivery import history, number, recorded
from tests.behaviour.keys import bearer
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client

    from tracker.config.settings import Settings

EIGHT = 1_772_697_600
"""8:00 on 5 March 2026, in seconds since 1970."""
MOST = 20
"""Records that the server measures."""
MARCH = {"startDate": "2026-03-02", "endDate": "2026-03-15", "timeZone": "UTC"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, delivery_records=MOST)


async def measured(client: Client, **fields: Any) -> Any:
    return await client.call("DeliveryService/GetDeliveryMetrics", {**MARCH, **fields})


async def test_delivery_is_measured_by_the_method_that_is_named(client: Client) -> None:
    ids = await history(client)
    devlake = await measured(client, method="devlake", by="service")
    assert (devlake["total"]["deployments"], devlake["total"]["failedAttempts"]) == (4, 1)
    assert number(devlake["total"], "change_failure_rate") == (0.25, 1, 4)
    assert number(devlake["total"], "time_to_restore") == (2.5 * 3600, 1, 1)
    assert [(each["name"], each["deployments"]) for each in devlake["groups"]] == [("shop", 3), ("api", 1)]
    datadog = await measured(client, method="datadog", services=["sh*"])
    assert number(datadog["total"], "change_failure_rate") == (pytest.approx(1 / 3), 1, 3)
    assert number(datadog["total"], "time_to_restore") == (7200.0, 1, 1)
    four_keys = await measured(client, method="four_keys")
    frequency = four_keys["total"]["metrics"][0]
    assert (frequency.get("value"), frequency["noData"]) == (None, "no deployment whose commits are known")
    assert "no commits known for 4 of 4 deployments" in str(four_keys["total"])
    failed = await measured(client, method="datadog", eventsOf="change_failure_rate")
    (event,) = failed["events"]
    assert (event["id"], event["becauseOf"]) == (ids["second"], ids["back"])


async def test_a_query_finds_exactly_what_a_number_counts(client: Client) -> None:
    await history(client)
    found = await measured(client, method="devlake")
    for metric in found["total"]["metrics"]:
        if metric.get("query"):
            answer = await client.call("EventService/SearchEvents", {"query": metric["query"]})
            assert len(answer["events"]) == metric["counted"]
    assert [bool(each.get("query")) for each in found["total"]["metrics"]] == [True, False, True, True, True]


async def test_incidents_of_a_service_without_deployments_count_for_it(client: Client) -> None:
    incident = {"type": "incident", "status": "close", "service": "idle"}
    await recorded(client, "idle is down", "03T11:00:00", "03T12:00:00", **incident)
    found = await measured(client, method="four_keys", services=["id*"])
    assert number(found["total"], "time_to_restore") == (3600.0, 1, 1)
    assert (
        number((await measured(client, method="four_keys", services=["x"]))["total"], "time_to_restore")[2]
        == 0
    )


async def test_commits_that_are_given_make_the_lead_time(client: Client) -> None:
    ids = await history(client)
    commits = [{"eventId": ids["other"], "committedAt": [EIGHT, EIGHT - 7200]}]
    before: dict[str, Any] = {"service": "api", "version": "6", "labels": {"sha": "1" * 40}}
    await recorded(client, "earlier", "04T10:00:00", **before)
    found = await measured(client, method="datadog", commits=commits)
    assert number(found["total"], "lead_time") == (3 * 3600, 1, 5)


async def test_events_behind_a_number_come_in_pages(client: Client) -> None:
    await history(client)
    asked = {"method": "datadog", "eventsOf": "deployment_frequency", "limit": 3}
    first = await measured(client, **asked)
    rest = await measured(client, **asked, pageToken=first["nextPageToken"])
    titles = [each["title"] for each in (*first["events"], *rest["events"])]
    assert titles == ["other", "back", "second", "first"]
    with pytest.raises(Refused, match=r"page_?[tT]oken"):
        await measured(client, **{**asked, "method": "devlake"}, pageToken=first["nextPageToken"])


async def test_a_narrowed_reader_measures_what_it_may_read(client: Client) -> None:
    await history(client)
    reader = await bearer(client, "api alone", "event:read", services=["api"])
    found = await measured(reader, method="devlake", by="service")
    assert [each["name"] for each in found["groups"]] == ["api"]
    assert number(found["total"], "change_failure_rate") == (None, 0, 1)
    assert found["total"].get("incidents", 0) == 0


async def test_a_period_with_more_records_than_are_measured_is_refused(client: Client) -> None:
    for minute in range(MOST + 1):
        await recorded(client, "Deploy", f"06T10:{minute:02}:00")
    with pytest.raises(Refused, match=rf"start_?[dD]ate.* up to {MOST} deployments") as refused:
        await measured(client)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert (await measured(client, services=["other"]))["total"].get("deployments", 0) == 0


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"startDate": "2026-04-01"}, r"start_?[dD]ate"),
        ({"interval": "1h"}, "interval"),
        ({"startDate": "0001-01-01", "interval": "day"}, "interval"),
        ({"startDate": "", "endDate": "0001-03-01"}, r"end_?[dD]ate"),
        ({"startDate": "0001-01-01", "endDate": "0003-02-01"}, r"start_?[dD]ate"),
        ({"timeZone": "Mars"}, r"time_?[zZ]one"),
    ],
)
async def test_what_makes_no_sense_is_refused(client: Client, fields: dict[str, str], named: str) -> None:
    with pytest.raises(Refused, match=named):
        await measured(client, **fields)
