"""The chain that an event belongs to, over both wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.clients import Refused

if TYPE_CHECKING:
    from tests.clients import Client

UNKNOWN = "018f0000-0000-7000-8000-000000000000"


async def record(client: Client, title: str, minute: int, to: str = "", *, slack_id: str = "") -> str:
    """Record an event of some minute after eight, and return its id."""
    attributes = {
        "service": "payments",
        "type": "deployment",
        "startDate": f"2026-03-02T08:{minute:02}:00Z",
        "relatedId": to,
    }
    request = {"title": title, "slackId": slack_id, "attributes": attributes}
    event: Any = (await client.call("EventService/CreateEvent", request))["event"]
    return str(event["metadata"]["id"])


async def link(client: Client, id_: str, to: str) -> None:
    request = {"id": id_, "attributes": {"relatedId": to}, "merge": True}
    await client.call("EventService/UpdateEvent", request)


async def related(client: Client, id_: str) -> Any:
    return await client.call("EventService/ListRelatedEvents", {"id": id_})


def titles(answer: Any) -> list[str]:
    return [each["event"]["title"] for each in answer["events"]]


async def test_a_chain_is_listed_in_the_order_of_time_with_durations(client: Client) -> None:
    deployment = await record(client, "Deploy 2.4.0", 0, slack_id="1700000000.000100")
    rollback_of = await record(client, "Checkout fails", 12, deployment)
    alert = await record(client, "Latency is high", 15, deployment)
    rollback = await record(client, "Roll back", 30, rollback_of)
    await record(client, "Deploy cart", 20)
    answer = await related(client, rollback)
    assert answer["rootId"] == deployment
    assert answer["duration"] == "1800s"
    assert not answer["incomplete"]
    assert [
        (
            each["event"]["title"],
            each["event"]["metadata"]["id"],
            each["parentId"],
            each["depth"],
            each.get("sinceParent"),
            each.get("sincePrevious"),
        )
        for each in answer["events"]
    ] == [
        ("Deploy 2.4.0", deployment, "", 0, None, None),
        ("Checkout fails", rollback_of, deployment, 1, "720s", "720s"),
        ("Latency is high", alert, deployment, 1, "900s", "180s"),
        ("Roll back", rollback, rollback_of, 2, "1080s", "900s"),
    ]
    for id_ in (deployment, rollback_of, alert, "1700000000.000100"):
        assert await related(client, id_) == answer


async def test_an_event_without_links_is_a_chain_of_its_own(client: Client) -> None:
    id_ = await record(client, "Deploy", 0)
    answer = await related(client, id_)
    assert (titles(answer), answer["rootId"], answer["duration"]) == (["Deploy"], id_, "0s")


async def test_a_chain_begins_where_an_event_was_deleted(client: Client) -> None:
    deployment = await record(client, "Deploy", 0)
    incident = await record(client, "Checkout fails", 12, deployment)
    await record(client, "Roll back", 30, incident)
    await client.call("EventService/DeleteEvents", {"id": deployment})
    answer = await related(client, incident)
    assert (titles(answer), answer["rootId"]) == (["Checkout fails", "Roll back"], incident)
    first = answer["events"][0]
    assert (first["parentId"], first["event"]["attributes"]["relatedId"]) == ("", deployment)


async def test_links_that_go_round_in_a_circle_come_to_an_end(client: Client) -> None:
    first = await record(client, "first", 0)
    second = await record(client, "second", 1, first)
    third = await record(client, "third", 2, second)
    await link(client, first, third)
    into = await record(client, "into it", 3, second)
    for id_ in (first, second, third, into):
        answer = await related(client, id_)
        assert (titles(answer), answer["rootId"]) == (["first", "second", "third", "into it"], first)
        assert [each["depth"] for each in answer["events"]] == [0, 1, 2, 2]


async def test_a_link_that_is_moved_is_followed_to_where_it_leads_now(client: Client) -> None:
    before, after = await record(client, "before", 0), await record(client, "after", 1)
    id_ = await record(client, "Deploy", 2, before)
    await link(client, id_, after)
    assert titles(await related(client, id_)) == ["after", "Deploy"]
    assert titles(await related(client, before)) == ["before"]


async def test_of_too_long_a_chain_the_event_and_what_follows_from_it_are_listed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.services.events.queries._MAX_RELATED", 5)
    root = await record(client, "root", 0)
    for number in range(6):
        await record(client, f"early {number}", 1 + number, root)
    late = await record(client, "late", 20, root)
    await record(client, "follows from late", 21, late)
    answer = await related(client, late)
    assert titles(answer) == ["root", "early 0", "early 1", "late", "follows from late"]
    assert answer["incomplete"]
    last = late
    for number in range(5):
        last = await record(client, f"{number} after late", 30 + number, last)
    answer = await related(client, last)
    assert titles(answer) == [f"{number} after late" for number in range(5)]
    assert answer["incomplete"]


async def test_a_chain_of_as_many_events_as_are_listed_is_whole(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.services.events.queries._MAX_RELATED", 3)
    root = await record(client, "root", 0)
    second = await record(client, "second", 1, root)
    third = await record(client, "third", 2, second)
    for id_ in (root, second, third):
        answer = await related(client, id_)
        assert (titles(answer), answer["incomplete"]) == (["root", "second", "third"], False)


@pytest.mark.parametrize("id_", [UNKNOWN, "1700000000.000200"])
async def test_a_chain_of_an_unknown_event_is_refused(client: Client, id_: str) -> None:
    with pytest.raises(Refused) as refused:
        await related(client, id_)
    assert (refused.value.code, refused.value.reason) == ("NOT_FOUND", "EVENT_NOT_FOUND")
    assert id_ in refused.value.message


async def test_causes_and_remedies_are_links_of_the_chain(client: Client) -> None:
    deployment = await record(client, "Deploy 2.4.0", 0)
    incident = await record(client, "Checkout fails", 12)
    rollback = await record(client, "Deploy 2.3.0", 20)
    restart = await record(client, "Restart", 25)
    for change, kind in ((deployment, "caused_by"), (rollback, "rolled_back_by"), (restart, "remediated_by")):
        asked = {"id": incident, "changeId": change, "link": kind}
        await client.call("IncidentService/LinkChange", asked)
    for id_ in (deployment, incident, rollback, restart):
        answer = await related(client, id_)
        assert [
            (each["event"]["metadata"]["id"], each["parentId"], each["link"]) for each in answer["events"]
        ] == [
            (deployment, "", ""),
            (incident, deployment, "caused_by"),
            (rollback, incident, "rolled_back_by"),
            (restart, incident, "remediated_by"),
        ]
