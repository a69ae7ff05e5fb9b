"""Leases, fencing tokens and lock tokens, over both wires."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.events import UNKNOWN, create, get
from tests.behaviour.locks import RUNNING, a_token, lock, locks, take, unlock
from tests.behaviour.servers import metrics, server
from tests.clients import Refused, RestClient
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    from tests.clients import Client, JsonObject
    from tests.clocks import StoppedClock

    from tracker.app import App
    from tracker.config.settings import Settings


LOOK = 0.5
"""Seconds within which a server looks at its locks again."""


async def renew(client: Client, held: JsonObject, **fields: Any) -> Any:
    return (await client.call("LockService/RenewLock", {"id": held["id"], **fields}))["lock"]


async def check(client: Client, fencing_token: object) -> Any:
    body = {"service": "payments", "environment": "PROD", "fencingToken": fencing_token}
    return await client.call("LockService/CheckLock", body)


async def is_current(client: Client, held: JsonObject) -> bool:
    """Check the token of a lock that, if it is not current, nobody else has taken."""
    answer = await check(client, held["fencingToken"])
    assert (answer.get("holder") is not None) == answer["current"]
    return bool(answer["current"])


async def changelog(client: Client, event: JsonObject, *, entries: int) -> list[JsonObject]:
    """Return the changelog of an event once it has so many entries: some follow what they tell of."""
    while True:
        found: list[JsonObject] = (await get(client, event["metadata"]["id"]))["changelog"]
        if len(found) >= entries:
            return found
        await asyncio.sleep(0.02)  # between two polls


async def is_held(client: Client, held: JsonObject) -> bool:
    try:
        await client.call("LockService/GetLock", {"id": held["id"]})
    except Refused as refused:
        if refused.code != "NOT_FOUND":
            raise
        return False
    return True


async def ended(clock: StoppedClock, client: Client, held: JsonObject, *, ttl: float) -> None:
    """Let time go by until a lock has ended, which is when its lease is over, and not before."""
    await clock.forward(ttl - 0.01)
    assert await is_held(client, held)
    await clock.forward(LOOK)
    assert not await is_held(client, held)


async def test_a_lease_of_a_second_takes_a_second(settings: Settings) -> None:
    async with server(settings) as client:
        asked = time.monotonic()
        held = await lock(client, ttl="1s")
        async with asyncio.timeout(PATIENCE):
            while await is_held(client, held):
                await asyncio.sleep(0.02)  # between two polls
        assert time.monotonic() - asked >= 1


async def test_a_lease_that_nobody_renews_ends_by_itself_and_never_early(
    clock: StoppedClock, client: Client
) -> None:
    held = await lock(client, ttl="60s")
    await ended(clock, client, held, ttl=60)
    assert (await lock(client))["id"] != held["id"]


async def test_a_lease_that_is_renewed_goes_on(clock: StoppedClock, client: Client) -> None:
    held = await lock(client, ttl="60s")
    for _ in range(3):
        await clock.forward(59)
        held = await renew(client, held)
    assert held["renewals"] == "3"
    assert (await locks(client))[0]["id"] == held["id"]


async def test_a_lock_without_a_ttl_has_no_end(client: Client) -> None:
    held = await lock(client)
    assert (held.get("ttl"), held.get("expiresAt")) == (None, None)
    with pytest.raises(Refused, match="held until it is released") as refused:
        await renew(client, held)
    assert (refused.value.code, refused.value.reason) == ("FAILED_PRECONDITION", "LOCK_WITHOUT_LEASE")
    assert (await renew(client, held, ttl="60s"))["ttl"] == "60s"


async def test_a_renewal_begins_the_lease_anew_with_another_ttl_if_one_is_given(client: Client) -> None:
    held = await lock(client, ttl="60s")
    assert held["renewedAt"] == held["createdAt"] < held["expiresAt"]
    renewed = await renew(client, held)
    assert renewed["expiresAt"] > held["expiresAt"]
    longer = await renew(client, held, ttl="7200s")
    assert longer == (await client.call("LockService/GetLock", {"id": held["id"]}))["lock"]
    assert (longer["ttl"], longer["renewals"]) == ("7200s", "2")
    assert longer["fencingToken"] == held["fencingToken"]


@pytest.mark.parametrize("method", ["RenewLock", "UnLock"])
async def test_a_lease_that_expired_is_lost(clock: StoppedClock, client: Client, method: str) -> None:
    token = a_token()
    held = await lock(client, ttl="60s", lockToken=token)
    await ended(clock, client, held, ttl=60)
    with pytest.raises(Refused, match=r"its lease expired at .*; nobody holds it now") as refused:
        await client.call(f"LockService/{method}", {"id": held["id"], "lockToken": token})
    assert (refused.value.code, refused.value.reason) == ("ABORTED", "LOCK_LOST")
    assert refused.value.metadata["ending"] == "expired"
    successor = await lock(client, who="bo")
    with pytest.raises(Refused, match="already locked for deployment in production by bo") as refused:
        await client.call(f"LockService/{method}", {"id": held["id"], "lockToken": token})
    assert refused.value.metadata["lock_id"] == successor["id"]
    assert (await locks(client)) == [successor]


@pytest.mark.parametrize("token", ["", "another-token-of-22-chars"])
async def test_a_lock_with_a_token_obeys_only_who_has_it(client: Client, token: str) -> None:
    own = a_token()
    held = await lock(client, ttl="60s", lockToken=own)
    for method in ("RenewLock", "UnLock", "UpdateLock"):
        with pytest.raises(Refused) as refused:
            await client.call(f"LockService/{method}", {"id": held["id"], "lockToken": token})
        assert (refused.value.code, refused.value.reason) == ("PERMISSION_DENIED", "LOCK_TOKEN_MISMATCH")
    assert await locks(client) == [held]
    updated = await client.call("LockService/UpdateLock", {"id": held["id"], "lockToken": own, "who": "bo"})
    assert updated["lock"] == {**held, "who": "bo"}
    assert (await unlock(client, held, lockToken=own))["count"] == "1"


async def test_repeating_a_call_with_its_token_answers_the_same_lock_renewed(client: Client) -> None:
    token = a_token()
    first = await take(client, ttl="60s", lockToken=token)
    again = await take(client, ttl="60s", lockToken=token)
    assert (first["replayed"], again["replayed"]) == (False, True)
    for name in ("id", "createdAt", "fencingToken"):
        assert again["lock"][name] == first["lock"][name]
    assert again["lock"]["expiresAt"] > first["lock"]["expiresAt"]


async def test_calls_at_once_with_one_token_get_one_lock(client: Client) -> None:
    token = a_token()
    answers = await asyncio.gather(*(take(client, ttl="60s", lockToken=token) for _ in range(30)))
    assert len({answer["lock"]["id"] for answer in answers}) == 1
    assert sum(not answer["replayed"] for answer in answers) == 1


async def test_a_token_takes_a_lock_once(client: Client) -> None:
    token = a_token()
    held = await lock(client, lockToken=token)
    await unlock(client, held, lockToken=token)
    with pytest.raises(Refused, match=r"has been used.*it was released at") as refused:
        await lock(client, lockToken=token)
    assert (refused.value.code, refused.value.reason) == ("ABORTED", "LOCK_TOKEN_USED")
    assert refused.value.metadata["ended_lock_id"] == held["id"]
    assert await locks(client) == []


async def test_a_release_can_be_repeated(client: Client) -> None:
    token = a_token()
    held = await lock(client, lockToken=token)
    answers = await asyncio.gather(*(unlock(client, held, lockToken=token) for _ in range(5)))
    assert sorted(answer["count"] for answer in answers) == ["0", "0", "0", "0", "1"]
    assert {answer["count"]: answer["alreadyReleased"] for answer in answers} == {"1": False, "0": True}


async def test_a_forced_release_needs_a_reason(client: Client) -> None:
    held = await lock(client, lockToken=a_token())
    with pytest.raises(Refused) as refused:
        await unlock(client, held, force=True, reason=" ")
    assert refused.value.fields.keys() == {"reason"}
    assert await locks(client) == [held]


async def test_a_forced_release_leaves_a_trail(app: App, client: Client) -> None:
    event = await create(client)
    held = await lock(client, ttl="60s", lockToken=a_token(), event_id=event["metadata"]["id"])
    answer = await unlock(client, held, force=True, reason="the runner died", who="eve")
    assert (answer["count"], answer["forced"]) == ("1", True)
    last = (await get(client, held["eventId"]))["changelog"][-1]
    assert (last["changeType"], last["user"]) == ("unlocked", "eve")
    assert last["comment"] == "Service unlocked in production by force: the runner died"
    assert "tracker_lock_forced_total 1.0" in await metrics(app)


async def test_who_lost_a_lock_by_force_is_told_so_and_cannot_free_the_newer_holder(client: Client) -> None:
    token = a_token()
    held = await lock(client, ttl="60s", lockToken=token)
    await unlock(client, held, force=True, reason="the runner died")
    successor = await lock(client, who="bo")
    for release in (renew, unlock):
        with pytest.raises(Refused, match=r"released by force at .*, reason: the runner died") as refused:
            await release(client, held, lockToken=token)
        assert refused.value.reason == "LOCK_LOST"
    assert await locks(client) == [successor]


async def test_a_late_release_never_frees_a_newer_holder(client: Client) -> None:
    for fields in ({}, {"lockToken": a_token()}):
        held = await lock(client, **fields)
        await unlock(client, held, **fields)
        successor = await lock(client, who="bo")
        answers: list[Any] = await asyncio.gather(
            *(unlock(client, held, **fields) for _ in range(5)), return_exceptions=True
        )
        assert all(isinstance(a, Refused) or a["count"] == "0" for a in answers)
        assert await locks(client) == [successor]
        await unlock(client, successor)


async def test_fencing_tokens_rise_and_only_the_holders_is_current(
    clock: StoppedClock, client: Client
) -> None:
    tokens = []
    for end in ("release", "force", "expiry", "event"):
        if end == "event":
            event = await create(client, **RUNNING)
            (held,) = await locks(client)
        else:
            held = await lock(client, **({"ttl": "60s"} if end == "expiry" else {}))
        tokens.append(int(held["fencingToken"]))
        for token in tokens[:-1]:
            answer = await check(client, token)
            assert not answer["current"]
            assert answer["holder"] == held
        assert await check(client, held["fencingToken"]) == {"current": True, "holder": held}
        if end == "expiry":
            await ended(clock, client, held, ttl=60)
        elif end == "event":
            await client.call("EventService/DeleteEvents", {"id": event["metadata"]["id"]})
        else:
            await unlock(client, held, **({"force": True, "reason": "a test"} if end == "force" else {}))
        assert not await is_current(client, held)
    assert tokens == sorted(set(tokens))
    assert tokens[0] > 0


async def test_a_lock_that_moves_frees_its_key_for_others(client: Client) -> None:
    held = await lock(client)
    moved: Any = await client.call("LockService/UpdateLock", {"id": held["id"], "service": "billing"})
    assert moved["lock"]["fencingToken"] != "0"
    await lock(client)
    with pytest.raises(Refused):
        await lock(client, service="billing")


async def test_a_lock_stays_closed_for_its_delay_after_its_lease_expired(
    clock: StoppedClock, client: Client
) -> None:
    token = a_token()
    held = await lock(client, ttl="60s", lock_delay="2s", lockToken=token, who="ana")
    with pytest.raises(Refused, match="already locked") as refused:
        await lock(client)
    assert refused.value.reason == "LOCK_HELD"
    await clock.forward(60 + LOOK)
    with pytest.raises(Refused, match="already locked") as refused:
        await lock(client)
    assert (refused.value.code, refused.value.reason) == ("ALREADY_EXISTS", "LOCK_DELAY")
    assert "its lock_delay of 2 s is not over" in refused.value.message
    assert (await locks(client))[0]["expiredAt"] >= held["expiresAt"]
    assert not await is_current(client, held)
    with pytest.raises(Refused, match="free when its lock_delay is over") as refused:
        await renew(client, held, lockToken=token)
    assert refused.value.reason == "LOCK_LOST"
    await clock.forward(2 + LOOK)
    await lock(client)


async def test_there_is_no_delay_after_a_release(client: Client) -> None:
    held = await lock(client, ttl="60s", lock_delay="60s")
    await unlock(client, held)
    await lock(client)


async def test_a_refusal_names_the_holder_its_reason_and_its_times(client: Client) -> None:
    held = await lock(client, ttl="60s", reason="database migration", labels={"run": "7"})
    assert held["labels"] == {"run": "7"}
    with pytest.raises(Refused) as refused:
        await lock(client)
    assert refused.value.message.endswith(
        f"; reason: database migration; since {held['createdAt']}; until {held['expiresAt']}"
    )
    assert refused.value.metadata == {
        "lock_id": held["id"],
        "service": "payments",
        "environment": "production",
        "resource": "",
        "who": "ana",
        "event_id": "",
        "reason": "database migration",
        "since": held["createdAt"],
        "until": held["expiresAt"],
        "fencing_token": held["fencingToken"],
    }


async def test_the_longest_reason_of_a_holder_does_not_break_the_refusal(client: Client) -> None:
    await lock(client, **dict.fromkeys(("who", "environment", "resource"), "\u20ac" * 200), reason="€" * 2000)
    with pytest.raises(Refused) as refused:
        await lock(client, environment="€" * 200, resource="€" * 200)
    assert refused.value.reason == "LOCK_HELD"


@pytest.mark.parametrize(
    "fields",
    [
        {"ttl": "0.5s"},
        {"ttl": "604801s"},
        {"wait": "301s"},
        {"wait": "-1s"},
        {"lockToken": "only-21-characters-ab"},
        {"lockToken": "with a space and 22 chars"},
        {"lockDelay": "61s"},
        {"reason": "x" * 2001},
    ],
)
async def test_a_wrong_field_of_a_lease_is_refused(client: Client, fields: JsonObject) -> None:
    with pytest.raises(Refused) as refused:
        await lock(client, **fields)
    assert refused.value.code == "INVALID_ARGUMENT"
    assert len(refused.value.fields) == 1


@pytest.mark.parametrize("method", ["RenewLock", "UnLock"])
async def test_a_lock_that_never_was_is_not_found(client: Client, method: str) -> None:
    with pytest.raises(Refused) as refused:
        await client.call(f"LockService/{method}", {"id": UNKNOWN, "lockToken": a_token()})
    assert refused.value.reason == "LOCK_NOT_FOUND"


async def test_the_lock_of_an_event_has_a_lease_that_updates_renew(client: Client) -> None:
    event = await create(client, **RUNNING)
    (held,) = await locks(client)
    assert held["ttl"] == "14400s"
    going_on = {**event["attributes"], "status": "in_progress"}
    await client.call("EventService/UpdateEvent", {"id": held["eventId"], "attributes": going_on})
    (renewed,) = await locks(client)
    assert renewed["expiresAt"] > held["expiresAt"]
    assert renewed == held | {name: renewed[name] for name in ("expiresAt", "renewedAt", "renewals")}


async def test_the_lock_of_an_event_that_nobody_updates_expires(
    settings: Settings, clock: StoppedClock
) -> None:
    async with server(replace(settings, locks_auto_ttl=60.0), clock) as client:
        event = await create(client, owner="ana", **RUNNING)
        (held,) = await locks(client)
        await ended(clock, client, held, ttl=60)
        entries = await asyncio.wait_for(changelog(client, event, entries=3), PATIENCE)
        assert [entry["changeType"] for entry in entries] == ["created", "locked", "unlocked"]
        assert entries[-1]["comment"] == "Service unlocked in production: the lease expired"
        assert entries[-1]["user"] == "system"


async def test_locks_of_events_have_no_lease_where_the_setting_is_0(settings: Settings) -> None:
    async with server(replace(settings, locks_auto_ttl=0.0)) as client:
        await create(client, **RUNNING)
        assert (await locks(client))[0]["ttl"] is None


async def test_locks_are_counted(app: App, clock: StoppedClock, client: Client) -> None:
    await unlock(client, await lock(client))
    held = await lock(client, ttl="60s")
    with pytest.raises(Refused):
        await lock(client)
    await ended(clock, client, held, ttl=60)
    await create(client, **RUNNING)
    with pytest.raises(Refused):
        await lock(client)
    await clock.forward(LOOK)
    text = await metrics(app)
    assert "tracker_locks_held 1.0" in text
    assert "tracker_lock_acquired_total 3.0" in text
    assert "tracker_lock_expired_total 1.0" in text
    assert 'tracker_lock_refused_total{reason="LOCK_HELD"} 2.0' in text
    assert "tracker_lock_hold_seconds_count 2.0" in text
    assert "tracker_lock_wait_seconds_count 0.0" in text


async def test_a_lock_token_is_stored_as_a_hash_only(settings: Settings, stored: Callable[[], bytes]) -> None:
    token = a_token()
    async with server(settings) as client:
        held = await lock(client, ttl="60s", lockToken=token)
        await renew(client, held, lockToken=token)
        other = await lock(client, service="billing", lockToken=token)
        await unlock(client, other, lockToken=token)
        assert held["id"].encode() in stored()
        assert token.encode() not in stored()
        assert token not in str(await locks(client))


@pytest.mark.parametrize("as_body", [False, True])
async def test_a_lock_is_deleted_with_its_token_in_the_query_string_or_a_body(
    http: httpx2.AsyncClient,
    as_body: bool,
) -> None:
    token = a_token()
    held = await lock(RestClient(http), lockToken=token)
    path = f"/api/v1alpha1/lock/{held['id']}"
    refused = await http.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (403, 7)
    said: dict[str, Any] = {"json": {"lockToken": token}} if as_body else {"params": {"lockToken": token}}
    released = await http.request("DELETE", path, **said)
    assert (released.status_code, released.json()["count"]) == (200, "1")


async def test_a_wrong_body_of_a_delete_is_told_by_its_field(http: httpx2.AsyncClient) -> None:
    answer = await http.request("DELETE", f"/api/v1alpha1/lock/{UNKNOWN}", json={"lock_token": 7})
    assert answer.status_code == 400
    assert answer.json()["details"][1]["fieldViolations"][0]["field"] == "lock_token"


async def test_a_refused_lock_says_over_rest_when_to_ask_again(http: httpx2.AsyncClient) -> None:
    body = {"service": "payments"}
    assert "retry-after" not in (await http.post("/api/v1alpha1/lock", json=body)).headers
    refused = await http.post("/api/v1alpha1/lock", json=body)
    assert (refused.status_code, refused.headers["retry-after"]) == (409, "1")


async def test_the_path_to_check_a_lock_is_not_the_one_to_get_one(http: httpx2.AsyncClient) -> None:
    where = {"service": "payments", "fencingToken": "7"}
    answer = await http.get("/api/v1alpha1/lock/check", params=where)
    assert (answer.status_code, answer.json()) == (200, {"current": False, "holder": None})
