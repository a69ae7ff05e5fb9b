"""How people hear of events, on both stores: the wires know nothing of it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.behaviour.servers import server
from tests.canaries import canary
from tests.clients import Refused, RestClient
from tests.patience import PATIENCE
from tests.slack_workspace import SIGNING_SECRET, TOKEN, SlackWorkspace, pressed
from tests.webhook_receiver import receiving

from tracker.intakes import slack as slack_buttons
from tracker.intakes.slack import PATH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import httpx2
    from tests.clocks import StoppedClock
    from tests.webhook_receiver import Receiver

    from tracker.config.settings import Settings

PARIS = "Europe/Paris"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return dataclasses.replace(
        settings,
        slack_signing_secret=SIGNING_SECRET,
        slack_users=("U2=nobody", "U3=bo", "U4=cy"),
        auth_public_url="https://tracker.example",
        locks_auto=True,
    )


@pytest.fixture
def client(http: httpx2.AsyncClient) -> RestClient:
    return RestClient(http)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        receiver.answer = lambda: (200, "")
        yield receiver


@pytest.fixture
def slack(receiver: Receiver) -> SlackWorkspace:
    workspace = SlackWorkspace()
    receiver.say = workspace.say
    return workspace


async def created(client: RestClient, url: str, **fields: Any) -> Any:
    asked = {"name": "people", "url": url, **fields}
    return (await client.call("WebhookService/CreateWebhook", asked))["webhook"]


async def bot(client: RestClient, receiver: Receiver, **how: Any) -> Any:
    fields = {"format": "slack", "token": TOKEN, "notification": {"channel": "#deployments", **how}}
    return await created(client, receiver.url, **fields)


async def recorded(client: RestClient, title: str = "Deploy shop", **attributes: Any) -> str:
    usual = {"service": "shop", "type": "deployment", "source": "ci", "status": "planned"}
    asked = {"title": title, "attributes": {**usual, **attributes}}
    return str((await client.call("EventService/CreateEvent", asked))["event"]["metadata"]["id"])


async def changed(client: RestClient, event_id: str, **attributes: Any) -> None:
    asked = {"id": event_id, "attributes": attributes, "merge": True}
    await client.call("EventService/UpdateEvent", asked)


async def until(is_so: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.01)


async def test_slack_has_a_thread_for_each_deployment(
    client: RestClient, receiver: Receiver, slack: SlackWorkspace
) -> None:
    await bot(client, receiver)
    event = await recorded(
        client, "Deploy <shop> & *more*", environment="production", message="<!channel>", service="sh*p"
    )
    await until(lambda: slack.messages)
    (parent,) = slack.threads
    assert parent.actions == {"tracker_approve": event, "tracker_reject": event}
    heading, _, facts = parent.content["blocks"][:3]
    (link,) = [each for each in heading["elements"][0]["elements"] if each["type"] == "link"]
    assert (link["url"], link["style"]) == (f"https://tracker.example/events/{event}", {"bold": True})
    assert link["text"] == "planned: Deploy <shop> & *more*"  # as it is: no markup is read in rich text
    assert "".join(each["text"] for each in facts["elements"][0]["elements"]).startswith("service sh*p · ")
    assert "&lt;!channel&gt;" in parent.shown
    await changed(client, event, status="start")
    await changed(client, event, status="failure")
    await until(lambda: len(slack.replies(parent)) == 2)
    rollback = await recorded(client, "Roll back", status="success", relatedId=event)
    await until(lambda: len(slack.replies(parent)) == 3)
    started, failed, back = slack.replies(parent)
    assert all(text in started.shown for text in ("status: planned → start", "locked"))
    assert "status: start → failure" in failed.shown
    assert "Roll back" in back.shown
    (parent,) = slack.threads
    assert parent.updates == 2  # what is told of another event changes nothing above
    assert "failure: Deploy" in parent.shown
    assert parent.actions == {}
    await recorded(client, "Deploy bank", service="bank")
    await until(lambda: len(slack.threads) == 2)
    assert rollback


async def test_one_bad_night_is_one_thread(
    client: RestClient, receiver: Receiver, slack: SlackWorkspace, clock: StoppedClock
) -> None:
    await bot(client, receiver, groupBy=["environment"], groupFor="7200s", template="{{ event.service }}!")
    for service in ("shop", "bank", "mail"):
        await recorded(client, service=service, type="incident", status="open", environment="production")
    await until(lambda: len(slack.messages) == 3)
    (parent,) = slack.threads
    assert "shop!" in parent.shown
    assert [each.content["text"] for each in slack.replies(parent)] == ["bank!", "mail!"]
    clock.seconds += 7_300
    await recorded(client, service="late", environment="production")
    await until(lambda: len(slack.threads) == 2)


async def test_a_thread_that_was_deleted_in_slack_begins_again_and_refusals_are_failures(
    client: RestClient, receiver: Receiver, slack: SlackWorkspace
) -> None:
    webhook = await bot(client, receiver)
    event = await recorded(client)
    await until(lambda: slack.messages)
    slack.messages.clear()
    await changed(client, event, status="success")
    await until(lambda: slack.messages)
    assert len(slack.threads) == 1
    wrong = {"id": webhook["id"], "name": "people", "url": receiver.url, "format": "slack"}
    wrong |= {"token": "xoxb-wrong", "notification": {"channel": "C9"}}
    await client.call("WebhookService/UpdateWebhook", wrong)
    await recorded(client, "Deploy bank")
    asked = {"id": webhook["id"]}
    async with asyncio.timeout(PATIENCE):
        while True:
            newest = (await client.call("WebhookService/ListWebhookDeliveries", asked))["deliveries"][0]
            if newest["state"] == "waiting" and newest.get("attempts"):
                break
            await asyncio.sleep(0.01)
    assert newest["lastError"] == "invalid_auth"


async def test_buttons_in_slack_approve_and_release_with_the_signature_of_slack_alone(
    client: RestClient, http: httpx2.AsyncClient, clock: StoppedClock
) -> None:
    event = await recorded(client, environment="production")
    now = clock.now() // 1_000_000

    async def press(action: str, at: int = now, **more: Any) -> int:
        return (await http.post(PATH, **pressed(action, event, at, **more))).status_code

    async def changelog() -> list[str]:
        found: Any = await client.call("EventService/GetEvent", {"id": event})
        return [f"{each['user']} {each['changeType']}" for each in found["event"]["changelog"]]

    assert await press("tracker_approve", now - 600) == 401
    assert await press("tracker_approve", now + 600) == 401
    assert await press("tracker_approve", secret="wrong") == 401
    sent = pressed("tracker_approve", event, now)
    altered = {**sent, "content": sent["content"].replace(b"tracker_approve", b"tracker_release")}
    assert (await http.post(PATH, **altered)).status_code == 401
    assert await press("tracker_approve", user="U2") == 200  # a user whom Tracker doesn't know
    assert not any("approved" in each for each in await changelog())
    assert [await press("tracker_approve") for _ in range(2)] == [200, 200]  # what Slack repeats counts once
    assert (await changelog()).count("alice.a approved") == 1
    await changed(client, event, status="start")
    assert (await client.call("LockService/ListLocks"))["totalCount"] == 1
    assert await press("tracker_release") == 200
    assert not (await client.call("LockService/ListLocks")).get("totalCount")


async def test_whoever_presses_a_button_is_told_what_was_refused_in_text_alone(
    http: httpx2.AsyncClient, receiver: Receiver, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slack_buttons, "_ANSWERS_AT", receiver.url)
    sent = pressed("tracker_approve", "<!channel>", clock.now() // 1_000_000, told_at=receiver.url)
    assert (await http.post(PATH, **sent)).status_code == 200
    (told,) = await receiver.wait_for(1)
    assert "id &lt;!channel&gt;" in json.loads(told.body)["text"]


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("tracker_approve", "waiting_approval", "planned"),
        ("tracker_reject", "waiting_approval", "close"),
        ("tracker_reject", "planned", "close"),
        ("tracker_reject", "start", "start"),  # its message is an old one
    ],
)
async def test_a_decision_in_slack_does_what_it_does_elsewhere(
    client: RestClient,
    http: httpx2.AsyncClient,
    clock: StoppedClock,
    action: str,
    before: str,
    after: str,
) -> None:
    event = await recorded(client, environment="production", status=before)
    sent = pressed(action, event, clock.now() // 1_000_000)
    for _ in range(2):
        assert (await http.post(PATH, **sent)).status_code == 200
    found: Any = await client.call("EventService/GetEvent", {"id": event})
    assert found["event"]["attributes"]["status"] == after
    changes = [each["changeType"] for each in found["event"]["changelog"]]
    assert changes.count("status_changed") == (before != after)


async def test_who_approves_in_slack_needs_the_permission_to_approve(
    client: RestClient, http: httpx2.AsyncClient, clock: StoppedClock
) -> None:
    event = await recorded(client, environment="production")
    writes = ["event:read", "event:write"]
    for name, permissions in (("bo", writes), ("cy", [*writes, "deployment:approve"])):
        asked = {"name": name, "permissions": permissions}
        team = (await client.call("AuthService/CreateTeam", asked))["team"]["id"]
        person = {"username": name, "password": canary("password"), "teamIds": [team]}
        await client.call("AuthService/CreateUser", person)

    async def decisions(user: str) -> list[str]:
        sent = pressed("tracker_approve", event, clock.now() // 1_000_000, user=user)
        assert (await http.post(PATH, **sent)).status_code == 200
        found: Any = await client.call("EventService/GetEvent", {"id": event})
        return [each["user"] for each in found["event"]["changelog"] if each["changeType"] == "approved"]

    assert await decisions("U3") == []
    assert await decisions("U4") == ["cy"]


async def test_a_digest_tells_of_a_day_once_though_several_servers_share_the_work(
    client: RestClient, receiver: Receiver, slack: SlackWorkspace, clock: StoppedClock, settings: Settings
) -> None:
    await bot(client, receiver, digestAt="09:00", timeZone=PARIS)
    for number in range(12):
        await recorded(client, f"Deploy {number}", status="failure" if number < 3 else "success")
    waiting = await all_waiting(client, 12)
    due = datetime.fromisoformat(waiting[0]["nextAttemptAt"]).astimezone(ZoneInfo(PARIS))
    assert (due.hour, due.minute) == (9, 0)
    assert slack.messages == {}
    clock.seconds += timedelta(days=1, minutes=1).total_seconds()
    if settings.mongo_uri is not None:
        async with server(settings, clock), server(settings, clock):
            await until(lambda: slack.messages)
            await all_waiting(client, 0)
    else:
        await wake(client)
        await until(lambda: slack.messages)
        await all_waiting(client, 0)
    (message,) = slack.messages.values()
    assert message.content["text"] == "12 events: 3 failed, 9 succeeded"
    assert all(f"Deploy {number} (shop)" in message.shown for number in range(12))


async def wake(client: RestClient) -> None:
    """Let a server whose clock was moved look for what is due."""
    for webhook in (await client.call("WebhookService/ListWebhooks"))["webhooks"]:
        asked = {"id": webhook["id"], "deliveryIds": ["none"]}
        await client.call("WebhookService/ReplayWebhookDeliveries", asked)


async def all_waiting(client: RestClient, count: int) -> list[Any]:
    (webhook,) = (await client.call("WebhookService/ListWebhooks"))["webhooks"]
    asked = {"id": webhook["id"], "state": "waiting"}
    async with asyncio.timeout(PATIENCE):
        while True:
            answer = await client.call("WebhookService/ListWebhookDeliveries", asked)
            found: list[Any] = answer.get("deliveries", [])
            if len(found) == count:
                return found
            await asyncio.sleep(0.02)


async def test_a_card_for_teams_is_never_longer_than_teams_takes(
    client: RestClient, receiver: Receiver
) -> None:
    webhook = await created(client, f"{receiver.url}?sig=canary", format="teams")
    assert "canary" not in json.dumps(webhook)
    await recorded(client, "Deploy *shop*", message='"\\é🚀' * 7_000, status="failure")
    (got,) = await receiver.wait_for(1)
    assert 20_000 < len(got.body) <= 28_000
    (attachment,) = json.loads(got.body)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["body"][0]["text"]) == ("AdaptiveCard", "failure: Deploy \\*shop\\*")
    assert card["body"][0]["color"] == "Attention"
    assert card["body"][-1]["text"] == "The text was longer than Teams takes, and was cut."


async def test_apprise_sends_a_title_with_a_body_and_its_address_is_secret(
    client: RestClient, receiver: Receiver
) -> None:
    address = receiver.url.replace("http://", "json://user:canary@")
    webhook = await created(client, address, format="apprise")
    assert "canary" not in json.dumps([webhook, await client.call("WebhookService/ListWebhooks")])
    kept = {"id": webhook["id"], "name": "mail", "url": webhook["url"], "format": "apprise"}
    await client.call("WebhookService/UpdateWebhook", kept)
    with pytest.raises(Refused, match="expected the whole address"):
        await client.call("WebhookService/UpdateWebhook", {**kept, "format": "native"})
    await recorded(client, status="failure")
    (got,) = await receiver.wait_for(1)
    said = json.loads(got.body)
    assert (said["title"], said["type"]) == ("failure: Deploy shop", "failure")
    assert "service: shop" in said["message"]
    assert got.headers["authorization"].startswith("Basic ")


async def test_a_template_that_fails_for_an_event_keeps_nobody_from_hearing_of_it(
    client: RestClient, receiver: Receiver
) -> None:
    template = """{% if event.labels.tier > "1" %}{{ event.title }}!{% endif %}"""
    await created(client, receiver.url, format="teams", notification={"template": template})
    await recorded(client, "Deploy shop", status="failure")
    await recorded(client, "Deploy till", labels={"tier": "2"})
    got = [json.loads(each.body)["attachments"][0]["content"] for each in await receiver.wait_for(2)]
    assert {card["body"][0]["text"] for card in got} == {"failure: Deploy shop", "Deploy till!"}


async def test_people_hear_of_changes_of_large_events(client: RestClient, receiver: Receiver) -> None:
    await created(client, receiver.url, format="teams", changes=["updated"])
    event = await recorded(client, message="x" * 65_000, labels={"more": "y" * 900})
    await changed(client, event, status="failure")
    (got,) = await receiver.wait_for(1)
    assert "status: planned → failure" in json.dumps(json.loads(got.body), ensure_ascii=False)


async def test_an_answer_that_nobody_has_foreseen_is_a_failed_attempt(
    client: RestClient, receiver: Receiver
) -> None:
    receiver.say = lambda *_: b"[1]"
    receiver.answer = lambda: (200, "")
    hook = await created(client, receiver.url, format="grafana", token="t")
    await recorded(client)
    await receiver.wait_for(1)
    async with asyncio.timeout(PATIENCE):
        while True:
            asked = {"id": hook["id"]}
            (told,) = (await client.call("WebhookService/ListWebhookDeliveries", asked))["deliveries"]
            if told.get("attempts"):
                break
            await asyncio.sleep(0.01)
    assert "TypeError" in told["lastError"]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"format": "slack", "token": TOKEN}, "notification.channel"),
        ({"format": "teams", "token": TOKEN, "notification": {"channel": "C"}}, "token"),
        ({"format": "apprise", "url": "nothing://x"}, "expected an address of apprise"),
        ({"format": "teams", "url": "mailto://a@b.example"}, "must begin with http"),
        (
            {"format": "teams", "notification": {"template": "{% for a in b %}{% endfor %}"}},
            "for is not allowed",
        ),
        ({"format": "teams", "notification": {"template": "{{ 'a' * 9 }}"}}, "mul is not allowed"),
        ({"format": "teams", "notification": {"template": "{{ event.title"}}, "expected a template"),
        ({"format": "teams", "notification": {"template": "{{ event.labels.tier > 1 }}"}}, "not supported"),
        ({"format": "teams", "notification": {"template": "{{ event.title | upper(1) }}"}}, "argument"),
        ({"format": "teams", "notification": {"timeZone": "Europe/Pris"}}, "expected a time zone"),
        ({"format": "teams", "notification": {"quietHours": "22-7"}}, "such as 22:00-07:00"),
        ({"format": "teams", "notification": {"groupBy": ["servce"]}}, "did you mean service"),
    ],
)
async def test_what_nobody_would_hear_of_is_refused(client: RestClient, fields: Any, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        await created(client, **{"url": "http://127.0.0.1:9/", **fields})
    assert refused.value.code == "INVALID_ARGUMENT"
    assert problem in f"{refused.value.message} {refused.value.fields}"


async def test_cdevents_say_what_our_own_intake_reads(
    client: RestClient, receiver: Receiver, http: Any
) -> None:
    await created(client, receiver.url, format="cdevents")
    places = {"environment": "production"}
    await recorded(client, status="success", labels={}, **places)
    await recorded(client, "Shop is down", type="incident", status="open", service="mail", **places)
    await recorded(client, "Deploy", status="failure", service="bank", **places)
    told = {}
    for got in (await receiver.wait_for(3))[:3]:
        event = json.loads(got.body)
        assert event["data"]["context"]["type"] == event["type"]
        answer = await http.post(
            "/cloudevents",
            content=got.body,
            headers={"content-type": "application/cloudevents+json"},
        )
        assert answer.status_code < 300, answer.text
        told[event["type"]] = event["data"]["subject"]
    assert told.keys() == {
        "dev.cdevents.pipelinerun.finished.0.2.0",
        "dev.cdevents.incident.detected.0.2.0",
    }
    found: Any = await client.call("EventService/SearchEvents", {"query": "source:/tracker"})
    read = {
        (each["attributes"]["service"], each["attributes"]["status"], each["attributes"]["type"])
        for each in found["events"]
    }
    assert ("mail", "open", "incident") in read
    assert ("bank", "failure", "operation") in read


async def test_an_event_is_one_annotation_of_grafana_that_goes_on_with_it(
    client: RestClient, http: httpx2.AsyncClient
) -> None:
    """Grafana is the server itself, whose intake of annotations answers as Grafana does."""
    key = await client.call(
        "AuthService/CreateApiKey", {"name": "grafana", "permissions": ["event:write", "event:read"]}
    )
    asked = {"format": "grafana", "query": "source:ci", "token": key["secret"]}
    for fields in ({"token": ""}, {"format": "teams"}):
        with pytest.raises(Refused, match="token"):
            await created(client, str(http.base_url), **asked | fields)
    hook = await created(client, str(http.base_url), **asked)
    assert key["secret"] not in json.dumps(hook)

    async def annotations(event: str) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = (
            await http.get("/api/annotations", params={"tags": f"tracker:{event}"})
        ).json()
        return listed

    async def annotated(event: str, tag: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while not any(tag in each["tags"] for each in await annotations(event)):
                await asyncio.sleep(0.01)
        (found,) = await annotations(event)
        return found

    event = await recorded(
        client, type="incident", status="open", environment="production", startDate="2026-01-31T12:00:00Z"
    )
    begun = await annotated(event, "status:open")
    assert begun["time"] == begun["timeEnd"] == 1769860800000
    assert begun["text"].splitlines() == ["open: Deploy shop", f"https://tracker.example/events/{event}"]
    assert {f"tracker:{event}", "service:shop", "type:incident"} <= set(begun["tags"])
    await changed(client, event, status="close", endDate="2026-01-31T12:05:00Z")
    ended = await annotated(event, "status:close")
    assert (ended["id"], ended["timeEnd"]) == (begun["id"], begun["time"] + 300_000)
    assert ended["text"].startswith("close: Deploy shop")

    await http.delete(f"/api/annotations/{begun['id']}")  # in Grafana, by hand
    await changed(client, event, status="done")
    await annotated(event, "status:done")

    update = {"id": hook["id"], "name": "n", "url": hook["url"], "format": "grafana", "query": "source:ci"}
    await client.call("WebhookService/UpdateWebhook", update | {"disabled": True})
    lost = await recorded(client, type="incident")
    unconfirmed = {"text": "x", "tags": [f"tracker:{lost}", "service:shop"]}
    number = (await http.post("/api/annotations", json=unconfirmed)).json()["id"]
    await client.call("WebhookService/UpdateWebhook", update)
    await changed(client, lost, status="failure")  # without an end date: it ends now
    found = await annotated(lost, "status:failure")
    assert found["id"] == number
    assert found["timeEnd"] > found["time"]
    await http.delete(f"/api/v1alpha1/event/{lost}")
    async with asyncio.timeout(PATIENCE):
        while await annotations(lost):
            await asyncio.sleep(0.01)
