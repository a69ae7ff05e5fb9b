"""What is recorded of callers with credentials, and whose locks, pages and watches are whose."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from tests.behaviour.events import create, get, request
from tests.behaviour.keys import bearer
from tests.behaviour.locks import RUNNING, a_token, lock, take, unlock
from tests.behaviour.servers import server, waiting
from tests.clients import Refused
from tests.patience import PATIENCE

from tracker.domain.access import Grant, Principal, PrincipalKind
from tracker.errors import TrackerError
from tracker.pb import lock_pb
from tracker.permissions import ALL_PERMISSIONS
from tracker.services.context import Call, Context
from tracker.services.locks.service import LockService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from tests.clients import Client, JsonObject
    from tests.clocks import StoppedClock

    from tracker.app import App
    from tracker.config.settings import Settings

OF_ANOTHER = ("PERMISSION_DENIED", "LOCK_OF_ANOTHER")


async def refused(call: Awaitable[object]) -> tuple[str, str]:
    with pytest.raises(Refused) as error:
        await call
    return error.value.code, error.value.reason


async def test_a_changelog_names_the_principal_and_keeps_what_the_request_claims(client: Client) -> None:
    ci = await bearer(client, "ci")
    asked = request(owner="core", **RUNNING) | {"who": "root"}
    event = (await ci.call("EventService/CreateEvent", asked))["event"]
    id_ = event["metadata"]["id"]
    await ci.call("EventService/UpdateEvent", {"id": id_, "title": "another", "who": "ana"})
    note = {"user": "ben", "comment": "hm", "principal": "user:ben", "claimedUser": "x"}
    await ci.call("EventService/AddChangelogEntry", {"id": id_, "entry": note})
    await ci.call("EventService/AddSlackId", {"id": id_, "slackId": "17.1"})
    await client.call("EventService/AddChangelogEntry", {"id": id_, "entry": note})
    stored = await get(client, id_)
    principal = stored["metadata"]["createdBy"]
    assert principal.startswith("apikey:")
    told = [(each["user"], each.get("principal"), each.get("claimedUser")) for each in stored["changelog"]]
    assert told == [
        ("ci", principal, "root"),
        ("ci", principal, "root"),
        ("ci", principal, "ana"),
        ("ci", principal, "ben"),
        ("ci", principal, None),
        ("ben", None, None),
    ]
    assert stored["attributes"]["owner"] == "core"
    (held,) = (await client.call("LockService/ListLocks"))["locks"]
    assert (held["who"], held["owner"], held["claimedWho"]) == ("ci", principal, "core")
    assert "createdBy" not in (await create(client, "anonymous"))["metadata"]


async def test_an_import_says_who_did_what_only_if_its_caller_manages_access(client: Client) -> None:
    ci = await bearer(client, "ci", "event:read", "event:write")
    admin = await bearer(client, "admin")
    entry = {"comment": "hm", "user": "ana", "principal": "user:ana"}
    for number, (caller, expected) in enumerate((
        (ci, ("ci", "ana", False)), (admin, ("ana", None, True)), (client, ("ana", None, True)),
    )):  # fmt: skip
        id_ = f"019ad3f1-7b00-7c21-9d0e-5b1f3a7c2e4{number}"
        event: dict[str, Any] = {
            "title": "old",
            "metadata": {"id": id_, "createdBy": "user:ana"},
            "changelog": [entry],
        }
        await caller.call("EventService/ImportEvents", {"events": [event]})
        again = await caller.call("EventService/ImportEvents", {"events": [event], "overwrite": True})
        assert again["unchanged"] == 1
        stored = await get(client, id_)
        (kept,) = stored["changelog"]
        as_given = stored["metadata"]["createdBy"] == "user:ana" and kept["principal"] == "user:ana"
        assert (kept["user"], kept.get("claimedUser"), as_given) == expected


async def test_a_catalog_entry_names_the_principal_who_changed_it(client: Client) -> None:
    ci = await bearer(client, "ci")
    entry = {"name": "shop", "owner": "core", "version": "1", "updatedBy": "root"}
    stored = (await ci.call("CatalogService/CreateUpdateCatalog", entry))["catalog"]
    assert (stored["updatedBy"], stored["claimedUpdatedBy"]) == ("ci", "root")
    updated = await client.call("CatalogService/UpdateVersions", {"name": "shop", "updatedBy": "ana"})
    assert updated["catalog"]["updatedBy"] == "ana"
    assert "claimedUpdatedBy" not in updated["catalog"]


async def test_a_lock_is_released_by_its_principal_its_token_or_force(client: Client) -> None:
    ci, other, forcing = [
        await bearer(client, name, "lock:read", "lock:write", *more)
        for name, *more in (("ci",), ("other",), ("forcing", "lock:force"))
    ]
    event = await create(client)
    held = await lock(ci, who="root", ttl="60s", eventId=event["metadata"]["id"])
    assert (held["who"], held["claimedWho"]) == ("ci", "root")
    with pytest.raises(Refused, match="already locked for deployment in production by ci as root"):
        await lock(other)
    for caller in (other, client, forcing):
        for method in ("UnLock", "RenewLock", "UpdateLock"):
            answer = await refused(caller.call(f"LockService/{method}", {"id": held["id"]}))
            assert answer == OF_ANOTHER, method
    for caller in (ci, other):
        force = unlock(caller, held, force=True, reason="because")
        assert await refused(force) == ("PERMISSION_DENIED", "PERMISSION_REQUIRED")
    await ci.call("LockService/RenewLock", {"id": held["id"]})
    changed = await ci.call("LockService/UpdateLock", {"id": held["id"], "who": "ana"})
    assert (changed["lock"]["who"], changed["lock"]["claimedWho"]) == ("ci", "ana")
    assert (await unlock(forcing, held, force=True, reason="gone", who="ben"))["forced"]
    entry = (await get(client, event["metadata"]["id"]))["changelog"][-1]
    assert (entry["user"], entry["claimedUser"], entry["changeType"]) == ("forcing", "ben", "unlocked")

    token = a_token()
    held = (await take(ci, lockToken=token))["lock"]
    wrong = await refused(unlock(ci, held, lockToken=a_token()))
    assert wrong == ("PERMISSION_DENIED", "LOCK_TOKEN_MISMATCH")
    assert (await unlock(other, held, lockToken=token))["count"] == "1"
    assert (await unlock(ci, held))["alreadyReleased"]
    assert await refused(unlock(forcing, held)) == ("ABORTED", "LOCK_LOST")

    held = (await take(ci, lockToken=token + "2"))["lock"]
    assert (await unlock(ci, held))["count"] == "1"
    held = await lock(client)
    assert await refused(unlock(ci, held)) == OF_ANOTHER
    assert (await unlock(client, held))["count"] == "1"


async def test_pages_and_watches_are_continued_only_by_the_principal_that_began_them(client: Client) -> None:
    one, two = [await bearer(client, name) for name in ("one", "two")]
    for _ in range(2):
        await create(client)
    listed = await one.call("EventService/ListEvents", {"perPage": 1})
    rest = {"perPage": 1, "pageToken": listed["nextPageToken"]}
    for caller in (two, client):
        assert await refused(caller.call("EventService/ListEvents", rest)) == (
            "INVALID_ARGUMENT",
            "INVALID_FIELD",
        )
    assert len((await one.call("EventService/ListEvents", rest))["events"]) == 1
    async with aclosing(one.stream("EventService/WatchEvents")) as watch:
        token = (await anext(watch))["resumeToken"]
    async with aclosing(one.stream("EventService/WatchEvents", {"resumeToken": token})) as watch:
        await anext(watch)
    async with aclosing(two.stream("EventService/WatchEvents", {"resumeToken": token})) as watch:
        assert await refused(anext(watch)) == ("INVALID_ARGUMENT", "INVALID_FIELD")


async def end_of(watch: AsyncIterator[JsonObject], client: Client) -> None:
    """Wait for the end of a watch; over REST, the next one has the reason."""
    async for _ in watch:
        pass
    await anext(client.stream("EventService/WatchEvents"))


@pytest.mark.parametrize("why", ["revoked", "expired"])
async def test_a_watch_ends_soon_after_a_revocation_or_expiry(
    client: Client, clock: StoppedClock, why: str
) -> None:
    expiry = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    asked = {"name": "ci", "permissions": ["event:read"], "expiresAt": expiry}
    key = await client.call("AuthService/CreateApiKey", asked)
    ci = client.bearing(key["secret"])
    async with (
        aclosing(ci.stream("EventService/WatchEvents")) as watch,
        aclosing(client.stream("EventService/WatchEvents")) as other,
    ):
        await anext(watch)
        await anext(other)
        ended = asyncio.ensure_future(refused(end_of(watch, ci)))
        if why == "revoked":
            await client.call("AuthService/RevokeApiKey", {"id": key["apiKey"]["id"]})
        else:
            clock.seconds += 3601
        async with asyncio.timeout(PATIENCE):
            assert await ended == ("UNAUTHENTICATED", "INVALID_CREDENTIALS")
        await create(client)
        assert (await anext(other))["kind"] == "created"


async def test_a_call_that_waits_for_a_lock_ends_when_its_credentials_are_revoked(
    client: Client, app: App
) -> None:
    key = await client.call("AuthService/CreateApiKey", {"name": "ci", "permissions": ["lock:write"]})
    await lock(client)
    waits = asyncio.ensure_future(refused(lock(client.bearing(key["secret"]), wait="20s")))
    await waiting(app, 1)
    await client.call("AuthService/RevokeApiKey", {"id": key["apiKey"]["id"]})
    async with asyncio.timeout(PATIENCE):
        assert await waits == ("UNAUTHENTICATED", "INVALID_CREDENTIALS")


async def test_a_watch_ends_soon_after_a_revocation_on_another_server(
    client: Client, settings: Settings
) -> None:
    if settings.mongo_uri is None:
        pytest.skip("one server has the file of the embedded store")
    key = await client.call("AuthService/CreateApiKey", {"name": "ci", "permissions": ["event:read"]})
    async with server(settings) as other:
        elsewhere = other.bearing(key["secret"])
        async with aclosing(elsewhere.stream("EventService/WatchEvents")) as watch:
            await anext(watch)
            await client.call("AuthService/RevokeApiKey", {"id": key["apiKey"]["id"]})
            async with asyncio.timeout(PATIENCE):
                ended = await refused(end_of(watch, elsewhere))
    assert ended == ("UNAUTHENTICATED", "INVALID_CREDENTIALS")


async def test_a_get_releases_no_lock_for_a_person_whose_browser_follows_a_link() -> None:
    nothing: Any = None
    context = Context(lambda: 0, str, nothing, ZoneInfo("UTC"))
    service = LockService(nothing, nothing, nothing, context, nothing, nothing, nothing)
    call = Call("rest", "1", "127.0.0.1:1", verb="GET")
    call.made_by(Principal("user:1", PrincipalKind.USER, "ana", (Grant(ALL_PERMISSIONS),)))
    with pytest.raises(TrackerError, match="a GET releases no lock for a person"):
        await service.un_lock(lock_pb.UnLockRequest(id="1"), call)
