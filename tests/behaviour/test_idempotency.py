"""Calls with an idempotency key."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import grpc.aio
import pytest
import structlog
from tests.behaviour.servers import waiting
from tests.canaries import canary
from tests.clients import METHODS, GrpcClient, Refused, RestClient
from tests.patience import PATIENCE

from tracker.app import App
from tracker.pb.options import only_reads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx2
    from tests.clients import Client, JsonObject

    from tracker.config.settings import Settings

DEPLOYMENT: JsonObject = {
    "title": "Deploy shop",
    "attributes": {"service": "shop", "type": "deployment", "status": "start"},
}
LOCKING = {**DEPLOYMENT, "attributes": {**DEPLOYMENT["attributes"], "environment": "production"}}
LOCK = {"service": "shop", "environment": "production", "who": "ada"}
FREEZE = {
    "title": "Christmas",
    "type": "FREEZE_TYPE_HARD",
    "startsAt": "2026-12-20T00:00:00Z",
    "endsAt": "2027-01-02T00:00:00Z",
}
WEBHOOK = {"name": "pager", "url": "http://127.0.0.1:9/hooks"}
LINK = {"name": "wiki", "url": "https://wiki.example.com"}
ENTRY = {"name": "shop", "type": "project", "owner": "team-pay", "version": "1.0"}


async def event_id(client: Client) -> str:
    event = (await client.call("EventService/CreateEvent", DEPLOYMENT))["event"]
    return str(event["metadata"]["id"])


async def incident_id(client: Client) -> str:
    """Return the id of an event beside one with the Slack id 17.17."""
    await client.call("EventService/CreateEvent", {**DEPLOYMENT, "slackId": "17.17"})
    return await event_id(client)


async def lock_id(client: Client) -> str:
    return str((await client.call("LockService/CreateLock", {**LOCK, "ttl": "60s"}))["lock"]["id"])


async def link_id(client: Client) -> str:
    return str((await client.call("LinkService/CreateLink", LINK))["link"]["id"])


async def entry_name(client: Client) -> str:
    await client.call("CatalogService/CreateUpdateCatalog", ENTRY)
    return "shop"


async def api_key_id(client: Client) -> str:
    return str((await client.call("AuthService/CreateApiKey", {"name": "ci"}))["apiKey"]["id"])


POLICY = {"name": "old", "keepFor": "86400s"}
HOLD = {"name": "case", "reason": "a case"}


async def policy_id(client: Client) -> str:
    return str((await client.call("RetentionService/CreateRetentionPolicy", POLICY))["policy"]["id"])


async def hold_id(client: Client) -> str:
    return str((await client.call("RetentionService/CreateLegalHold", HOLD))["hold"]["id"])


async def freeze_id(client: Client) -> str:
    return str((await client.call("FreezeWindowService/CreateFreezeWindow", FREEZE))["freezeWindow"]["id"])


async def webhook_id(client: Client) -> str:
    return str((await client.call("WebhookService/CreateWebhook", WEBHOOK))["webhook"]["id"])


async def intake_message_id(client: Client) -> str:
    return str((await client.call("IntakeService/ListIntakeMessages"))["messages"][0]["id"])


async def user_id(client: Client) -> str:
    new = {"username": "ada", "password": canary("password")}
    return str((await client.call("AuthService/CreateUser", new))["user"]["id"])


async def team_id(client: Client) -> str:
    return str((await client.call("AuthService/CreateTeam", {"name": "web"}))["team"]["id"])


async def nothing(_: Client) -> str:
    return ""


CHANGES: dict[str, tuple[Callable[[Client], Awaitable[str]], Callable[[str], JsonObject]]] = {
    "EventService/CreateEvent": (nothing, lambda _: DEPLOYMENT),
    "EventService/ImportEvents": (nothing, lambda _: {"events": [{**DEPLOYMENT, "title": "Deployed shop"}]}),
    "EventService/UpdateEvent": (
        event_id,
        lambda id_: {
            "id": id_,
            **DEPLOYMENT,
            "attributes": {**DEPLOYMENT["attributes"], "status": "success"},
        },
    ),
    "EventService/DeleteEvents": (event_id, lambda id_: {"id": id_}),
    "EventService/AddChangelogEntry": (
        event_id,
        lambda id_: {"id": id_, "entry": {"comment": "half", "user": "ada"}},
    ),
    "EventService/AddSlackId": (event_id, lambda id_: {"id": id_, "slackId": "1718"}),
    "CatalogService/CreateUpdateCatalog": (nothing, lambda _: ENTRY),
    "CatalogService/UpdateVersions": (entry_name, lambda name: {"name": name, "latestVersion": "2.0"}),
    "CatalogService/UpdateDependencies": (entry_name, lambda name: {"name": name, "dependenciesOut": ["db"]}),
    "CatalogService/DeleteCatalog": (entry_name, lambda name: {"name": name}),
    "LockService/CreateLock": (nothing, lambda _: LOCK),
    "LockService/UpdateLock": (lock_id, lambda id_: {"id": id_, "who": "ben"}),
    "LockService/RenewLock": (lock_id, lambda id_: {"id": id_}),
    "LockService/UnLock": (lock_id, lambda id_: {"id": id_}),
    "LinkService/CreateLink": (nothing, lambda _: LINK),
    "LinkService/UpdateLink": (
        link_id,
        lambda id_: {"id": id_, "name": "docs", "url": "https://docs.example.com"},
    ),
    "LinkService/DeleteLink": (link_id, lambda id_: {"id": id_}),
    "IncidentService/LinkChange": (
        incident_id,
        lambda id_: {"id": id_, "changeId": "17.17", "link": "caused_by"},
    ),
    "WebhookService/CreateWebhook": (nothing, lambda _: WEBHOOK),
    "WebhookService/UpdateWebhook": (webhook_id, lambda id_: {"id": id_, **WEBHOOK}),
    "WebhookService/RotateWebhookSecret": (webhook_id, lambda id_: {"id": id_}),
    "WebhookService/DeleteWebhook": (webhook_id, lambda id_: {"id": id_}),
    "FreezeWindowService/CreateFreezeWindow": (nothing, lambda _: FREEZE),
    "FreezeWindowService/UpdateFreezeWindow": (freeze_id, lambda id_: {"id": id_, **FREEZE}),
    "FreezeWindowService/DeleteFreezeWindow": (freeze_id, lambda id_: {"id": id_}),
    "RetentionService/CreateRetentionPolicy": (nothing, lambda _: POLICY),
    "RetentionService/UpdateRetentionPolicy": (policy_id, lambda id_: {"id": id_, **POLICY, "query": "a"}),
    "RetentionService/DeleteRetentionPolicy": (policy_id, lambda id_: {"id": id_}),
    "RetentionService/CreateLegalHold": (nothing, lambda _: HOLD),
    "RetentionService/ReleaseLegalHold": (hold_id, lambda id_: {"id": id_}),
    "AuthService/CreateApiKey": (nothing, lambda _: {"name": "ci"}),
    "AuthService/RotateApiKey": (api_key_id, lambda id_: {"id": id_}),
    "AuthService/RevokeApiKey": (api_key_id, lambda id_: {"id": id_}),
    "AuthService/CreateUser": (nothing, lambda _: {"username": "ada", "password": canary("password")}),
    "AuthService/UpdateUser": (user_id, lambda id_: {"id": id_, "displayName": "Ada"}),
    "AuthService/CreateTeam": (nothing, lambda _: {"name": "web"}),
    "AuthService/UpdateTeam": (team_id, lambda id_: {"id": id_, "name": "shop"}),
    "AuthService/DeleteTeam": (team_id, lambda id_: {"id": id_}),
}

UNSEEN: dict[str, tuple[Callable[[Client], Awaitable[str]], Callable[[str], JsonObject]]] = {
    "AuditService/CreateAuditCheckpoint": (nothing, lambda _: {}),
    "AuditService/EraseAuditValue": (nothing, lambda _: {"value": "nobody at all"}),
    "RetentionService/RunRetentionPolicy": (policy_id, lambda id_: {"id": id_}),
    "RetentionService/ErasePerson": (nothing, lambda _: {"values": ["nobody at all"]}),
    "AuthService/EndSession": (nothing, lambda _: {"id": "0123456789abcdef01234567"}),
    "AuthService/EndOtherSessions": (nothing, lambda _: {}),
    "WebhookService/TestWebhook": (webhook_id, lambda id_: {"id": id_}),
    "WebhookService/ReplayWebhookDeliveries": (webhook_id, lambda id_: {"id": id_}),
    "IntakeService/ReplayIntakeMessage": (intake_message_id, lambda id_: {"id": id_}),
}
"""Calls whose effect no list has."""


def test_every_call_that_may_change_something_is_tried() -> None:
    tried_elsewhere = {"TerraformService/RestoreStateVersion"}  # in tests/intakes/test_terraform.py
    assert CHANGES.keys() | UNSEEN.keys() | tried_elsewhere == {
        name for name, method in METHODS.items() if not only_reads(method)
    }


async def everything(client: Client) -> list[JsonObject]:
    lists = (
        "EventService/ListEvents",
        "CatalogService/ListCatalogs",
        "LockService/ListLocks",
        "LinkService/ListLinks",
        "AuthService/ListApiKeys",
        "AuthService/ListUsers",
        "WebhookService/ListWebhooks",
        "FreezeWindowService/ListFreezeWindows",
        "RetentionService/ListRetentionPolicies",
        "RetentionService/ListLegalHolds",
        "AuthService/ListTeams",
    )
    return [await client.call(name) for name in lists]


@pytest.mark.parametrize("method", CHANGES)
async def test_a_repeated_call_has_its_effect_once_and_the_same_answer(client: Client, method: str) -> None:
    prepare, request = CHANGES[method]
    asked = request(await prepare(client))
    before = await everything(client)
    answer = await client.call(method, asked, key="a-key")
    after = await everything(client)
    assert after != before
    assert await client.call(method, asked, key="a-key") == without_secret(answer)
    assert await everything(client) == after


@pytest.mark.parametrize("method", UNSEEN)
async def test_a_repeated_call_without_a_trace_has_the_same_answer(
    client: Client, http: httpx2.AsyncClient, method: str
) -> None:
    await http.post("/api/v1alpha1/integrations/flux/webhook", json={})  # which records nothing, and is kept
    prepare, request = UNSEEN[method]
    asked = request(await prepare(client))
    answer = await client.call(method, asked, key="a-key")
    assert await client.call(method, asked, key="a-key") == answer


def without_secret(answer: JsonObject) -> JsonObject:
    return {name: "" if name == "secret" else value for name, value in answer.items()}


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("EventService/CreateEvent", {**DEPLOYMENT, "title": "Deploy shop again"}),
        ("LockService/CreateLock", LOCK),
        ("LinkService/DeleteLink", {"id": "0190163d-8694-739b-aea5-966c26f8ad90"}),
    ],
)
async def test_a_key_is_for_one_request_only(client: Client, method: str, request_: JsonObject) -> None:
    await client.call("EventService/CreateEvent", DEPLOYMENT, key="a-key")
    before = await everything(client)
    with pytest.raises(Refused) as refused:
        await client.call(method, request_, key="a-key")
    assert (refused.value.code, refused.value.reason) == ("FAILED_PRECONDITION", "IDEMPOTENCY_KEY_REUSED")
    assert await everything(client) == before


async def test_another_record_in_the_path_is_another_request(client: Client) -> None:
    first, second = await link_id(client), await link_id(client)
    link = {"name": "docs", "url": "https://docs.example.com"}
    await client.call("LinkService/UpdateLink", {"id": first, **link}, key="a-key")
    with pytest.raises(Refused, match="used for another request"):
        await client.call("LinkService/UpdateLink", {"id": second, **link}, key="a-key")


async def test_a_key_may_be_used_again_after_a_call_that_failed(client: Client) -> None:
    held = await lock_id(client)
    with pytest.raises(Refused, match="already locked"):
        await client.call("LockService/CreateLock", LOCK, key="a-key")
    with pytest.raises(Refused, match="no event found"):
        await client.call("EventService/DeleteEvents", {"id": "nobody"}, key="a-key")
    with pytest.raises(Refused, match="title"):
        await client.call("EventService/CreateEvent", {**DEPLOYMENT, "title": ""}, key="a-key")
    await client.call("LockService/UnLock", {"id": held})
    taken = await client.call("LockService/CreateLock", LOCK, key="a-key")
    assert await client.call("LockService/CreateLock", LOCK, key="a-key") == taken


async def test_a_key_that_is_used_by_many_calls_at_once_has_one_effect(client: Client) -> None:
    async def create() -> str:
        try:
            answer = await client.call("EventService/CreateEvent", DEPLOYMENT, key="a-key")
        except Refused as refused:
            assert (refused.code, refused.reason) == ("ABORTED", "IDEMPOTENCY_KEY_UNDER_WAY")  # noqa: PT017
            return ""
        return str(answer["event"]["metadata"]["id"])

    ids = await asyncio.gather(*(create() for _ in range(20)))
    answer = await client.call("EventService/CreateEvent", DEPLOYMENT, key="a-key")
    assert set(ids) - {""} == {answer["event"]["metadata"]["id"]}
    assert (await client.call("EventService/ListEvents"))["totalCount"] == 1


async def test_a_call_that_waits_keeps_its_key_to_itself(app: App, client: Client) -> None:
    held = await lock_id(client)
    asked = {**LOCK, "wait": "20s"}
    first = asyncio.create_task(client.call("LockService/CreateLock", asked, key="a-key"))
    await waiting(app, 1)
    for again, reason in (
        (asked, "IDEMPOTENCY_KEY_UNDER_WAY"),
        ({**asked, "who": "ben"}, "IDEMPOTENCY_KEY_REUSED"),
    ):
        with pytest.raises(Refused) as refused:
            await client.call("LockService/CreateLock", again, key="a-key")
        assert refused.value.reason == reason
    await client.call("LockService/UnLock", {"id": held})
    taken = await first
    assert await client.call("LockService/CreateLock", asked, key="a-key") == taken


async def test_a_lock_token_and_a_key_go_together(client: Client) -> None:
    asked = {**LOCK, "lockToken": "a-token-of-sixteen-or-more", "ttl": "60s"}
    await client.call("LockService/CreateLock", asked, key="first")
    again = await client.call("LockService/CreateLock", asked, key="second")
    assert again["replayed"]
    assert int(again["lock"]["renewals"]) == 1
    assert await client.call("LockService/CreateLock", asked, key="second") == again


async def test_a_source_that_tells_of_an_event_again_with_a_key_is_heard_once(client: Client) -> None:
    told = {**DEPLOYMENT, "attributes": {**DEPLOYMENT["attributes"], "source": "ci", "externalId": "42"}}
    first = await client.call("EventService/CreateEvent", told, key="first")
    again = await client.call("EventService/CreateEvent", told, key="second")
    assert (first["updated"], again["updated"]) == (False, True)
    assert await client.call("EventService/CreateEvent", told, key="first") == first
    assert await client.call("EventService/CreateEvent", told, key="second") == again


async def test_a_deleted_entry_can_be_described_anew(client: Client) -> None:
    await client.call("CatalogService/CreateUpdateCatalog", ENTRY)
    await client.call("CatalogService/DeleteCatalog", {"name": "shop"}, key="a-key")
    for call in ("GetCatalog", "DeleteCatalog", "UpdateVersions"):
        with pytest.raises(Refused, match=r"no catalog found|catalog shop not found"):
            await client.call(f"CatalogService/{call}", {"name": "shop"})
    anew = await client.call("CatalogService/CreateUpdateCatalog", ENTRY, key="another-key")
    assert (await client.call("CatalogService/GetCatalog", {"name": "shop"}))["catalog"] == anew["catalog"]
    await client.call("CatalogService/DeleteCatalog", {"name": "shop"}, key="a-key")
    assert (await client.call("CatalogService/ListCatalogs"))["totalCount"] == 1


async def test_calls_that_only_read_ignore_the_key(client: Client) -> None:
    await client.call("EventService/CreateEvent", DEPLOYMENT, key="a-key")
    for key in ("a-key", "no key, at all"):
        assert (await client.call("EventService/ListEvents", key=key))["totalCount"] == 1


async def test_a_key_is_the_same_with_and_without_quotation_marks(client: Client) -> None:
    for key in ("k", "k" * 255, "8e03978e-40d5-43dd-bc93-6894a57f9324", "2026/shop:1!~"):
        answer = await client.call("LinkService/CreateLink", LINK, key=key)
        assert await client.call("LinkService/CreateLink", LINK, key=f'"{key}"') == answer


async def test_a_malformed_key_is_refused(client: Client) -> None:
    for key in (
        "",
        "k" * 256,
        "two words",
        "a,b",
        "a;b",
        '"',
        '""',
        '"a',
        'a"b',
        r"a\\b",
        r'"a\b"',
        '"a";b=1',
    ):
        with pytest.raises(Refused, match="Idempotency-Key: expected 1 to 255") as refused:
            await client.call("LinkService/CreateLink", LINK, key=key)
        assert (refused.value.code, refused.value.reason) == ("INVALID_ARGUMENT", "INVALID_FIELD")
    assert (await client.call("LinkService/ListLinks"))["links"] == []


async def test_a_key_counts_on_either_wire(app: App, http: httpx2.AsyncClient) -> None:
    asked = {"id": await event_id(RestClient(http))}
    answer = await RestClient(http).call("EventService/DeleteEvents", asked, key="a-key")
    host, port = app.grpc_address
    async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        assert await GrpcClient(channel).call("EventService/DeleteEvents", asked, key="a-key") == answer


async def test_rest_answers_with_the_status_codes_of_the_draft(app: App, http: httpx2.AsyncClient) -> None:
    async def lock(key: str, **more: str) -> httpx2.Response:
        headers = {"idempotency-key": key}
        return await http.post("/api/v1alpha1/lock", json={**LOCK, **more}, headers=headers)

    assert (await lock("a-key")).status_code == 200
    assert (await lock("a-key", who="ben")).status_code == 422
    assert (await lock("a key")).status_code == 400
    first = asyncio.create_task(lock("another-key", wait="20s"))
    await waiting(app, 1)
    under_way = await lock("another-key", wait="20s")
    assert (under_way.status_code, under_way.headers["retry-after"]) == (409, "1")
    first.cancel()


async def test_a_key_that_is_given_twice_is_none(http: httpx2.AsyncClient) -> None:
    headers = [("idempotency-key", "a-key"), ("idempotency-key", "a-key")]
    answer = await http.post("/api/v1alpha1/event", json=DEPLOYMENT, headers=headers)
    assert answer.status_code == 400


async def test_a_key_is_known_after_a_restart(settings: Settings) -> None:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    answers = []
    for _ in range(2):
        async with App(settings, log) as app:
            host, port = app.grpc_address
            async with grpc.aio.insecure_channel(f"{host}:{port}") as channel:
                client = GrpcClient(channel)
                answers.append(await client.call("EventService/CreateEvent", DEPLOYMENT, key="a-key"))
                assert (await client.call("EventService/ListEvents"))["totalCount"] == 1
    assert answers[0] == answers[1]


@pytest.mark.parametrize("mongo_uri", ["mongo"], indirect=True)
async def test_a_key_that_is_used_at_two_servers_at_once_has_one_effect(settings: Settings) -> None:
    log = structlog.get_logger(wrapper_class=structlog.make_filtering_bound_logger(50))
    async with App(settings, log) as first, App(settings, log) as second, AsyncExitStack() as channels:
        clients = [
            GrpcClient(
                await channels.enter_async_context(
                    grpc.aio.insecure_channel("{}:{}".format(*app.grpc_address))
                )
            )
            for app in (first, second)
        ]

        async def create(number: int) -> JsonObject | None:
            try:
                return await clients[number % 2].call("EventService/CreateEvent", LOCKING, key="a-key")
            except Refused as refused:
                assert refused.reason == "IDEMPOTENCY_KEY_UNDER_WAY"  # noqa: PT017 - the others succeed
                return None

        answers = await asyncio.gather(*(create(number) for number in range(20)))
        (answer,) = {str(answer) for answer in answers if answer is not None}
        assert [str(await create(number)) for number in range(2)] == [answer] * 2
        assert (await clients[0].call("EventService/ListEvents"))["totalCount"] == 1
        assert (await clients[0].call("LockService/ListLocks"))["totalCount"] == 1


@pytest.mark.parametrize("mongo_uri", ["sqlite"], indirect=True)
async def test_calls_that_their_deadlines_cut_off_are_made_once_by_repeating_them(
    http: httpx2.AsyncClient,
) -> None:
    async def create(number: int, **headers: str) -> int:
        headers["idempotency-key"] = f"key-{number}"
        answer = await http.post("/api/v1alpha1/event", json=DEPLOYMENT, headers=headers)
        return answer.status_code

    cut = [await create(number, **{"grpc-timeout": f"{number * 100}u"}) for number in range(40)]
    assert {200, 504} >= set(cut) >= {504}
    assert await create(0) == 200
    async with asyncio.timeout(PATIENCE):
        for number in range(1, 40):
            while (status := await create(number)) != 200:
                assert status == 409
    assert (await http.get("/api/v1alpha1/events/list")).json()["totalCount"] == 40
