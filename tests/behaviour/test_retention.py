"""Retention policies, legal holds, and the erasure of persons, over both wires and on both stores."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.behaviour.audit import entries
from tests.clients import Refused
from tests.patience import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients import Client

    from tracker.config.settings import Settings

SERVICE = "RetentionService"
YEAR = f"{366 * 86_400}s"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return replace(
        settings, retention_export_dir=tmp_path / "exports", retention_rate=1_000_000, retention_every=0.2
    )


async def event(client: Client, title: str, start: str = "2020-01-31T12:00:00Z", **attributes: Any) -> str:
    given = {"service": "shop", "type": "deployment", "startDate": start, **attributes}
    made: Any = await client.call("EventService/CreateEvent", {"title": title, "attributes": given})
    return str(made["event"]["metadata"]["id"])


async def policy(client: Client, **fields: Any) -> str:
    asked = {"name": "old", "keepFor": YEAR, **fields}
    made: Any = await client.call(f"{SERVICE}/CreateRetentionPolicy", asked)
    return str(made["policy"]["id"])


async def hold(client: Client, query: str) -> str:
    asked = {"name": "case-7", "query": query, "reason": "a case"}
    made: Any = await client.call(f"{SERVICE}/CreateLegalHold", asked)
    return str(made["hold"]["id"])


async def titles(client: Client) -> set[str]:
    found: Any = await client.call("EventService/ListEvents", {})
    return {each["title"] for each in found.get("events", ())}


async def test_what_a_policy_finds_and_is_old_enough_is_deleted(client: Client) -> None:
    await event(client, "due")
    await event(client, "of another type", type="drift")
    await event(client, "young", start="2026-11-01T12:00:00Z")
    await event(client, "under way", start="2020-01-31T12:00:00Z", endDate="2026-11-01T12:00:00Z")
    asked = {"id": await policy(client, query="type:deployment")}
    expected: Any = await client.call(f"{SERVICE}/PreviewRetention", asked)
    assert (expected["due"], expected["types"]) == (1, {"deployment": 1})
    assert [each["title"] for each in expected["events"]] == ["due"]
    done: Any = await client.call(f"{SERVICE}/RunRetentionPolicy", asked)
    assert (done["deleted"], done.get("nextPageToken", "")) == (1, "")
    listed: Any = await client.call(f"{SERVICE}/ListRetentionPolicies", {})
    assert listed["policies"][0]["lastRun"]["deleted"] == 1
    assert await titles(client) == {"of another type", "young", "under way"}


async def test_deleted_events_are_in_the_audit_log_by_their_ids_alone(client: Client) -> None:
    ids = [await event(client, f"secret {number}") for number in range(3)]
    await client.call(f"{SERVICE}/RunRetentionPolicy", {"id": await policy(client)})
    async with asyncio.timeout(PATIENCE):
        while True:
            found = [each for each in await entries(client, 4) if each["action"] == "aged_out"]
            if sum(len(each["events"]) for each in found) == len(ids):
                break
    assert {each for entry in found for each in entry["events"]} == {*ids}
    assert found[0]["reason"] == "retention policy old"
    assert "secret" not in found[0]["content"]


async def test_what_is_held_is_deleted_by_nobody(client: Client) -> None:
    held = await event(client, "held", service="payments")
    await event(client, "free")
    hold_id = await hold(client, "service:payments")
    due = {"id": await policy(client)}
    expected: Any = await client.call(f"{SERVICE}/PreviewRetention", due)
    assert (expected["due"], expected["held"]) == (2, 1)
    await client.call(f"{SERVICE}/RunRetentionPolicy", due)
    assert await titles(client) == {"held"}
    away = {"id": held, "attributes": {"service": "shop", "type": "deployment"}}
    for call, asked in (("DeleteEvents", {"id": held}), ("UpdateEvent", away)):
        with pytest.raises(Refused, match="held by the legal hold case-7") as refused:
            await client.call(f"EventService/{call}", asked)
        assert refused.value.reason == "EVENT_HELD"
    await client.call(f"{SERVICE}/ReleaseLegalHold", {"id": hold_id})
    await client.call("EventService/DeleteEvents", {"id": held})
    assert await titles(client) == set()


async def test_times_in_the_query_of_a_hold_stay_as_they_were(client: Client) -> None:
    await hold(client, "since:1d")
    listed: Any = await client.call(f"{SERVICE}/ListLegalHolds", {})
    (made,) = listed["holds"]
    assert "1d" not in made["query"]
    assert "T" in made["query"]


async def test_exported_events_are_in_a_file_that_can_be_imported(client: Client, settings: Settings) -> None:
    kept = await event(client, "exported", message="é")
    for number in range(60):  # a long changelog is in further records
        entry = {"changeType": "commented", "user": "ana", "comment": f"{number}"}
        await client.call("EventService/AddChangelogEntry", {"id": kept, "entry": entry})
    done: Any = await client.call(f"{SERVICE}/RunRetentionPolicy", {"id": await policy(client, export=True)})
    assert settings.retention_export_dir is not None
    (name,) = done["files"]
    lines = gzip.decompress((settings.retention_export_dir / name).read_bytes()).splitlines()
    assert await titles(client) == set()
    async with asyncio.timeout(PATIENCE):
        while "aged_out" not in {each["action"] for each in await entries(client, 1, mentions=kept)}:
            await asyncio.sleep(0.02)
    stored: Any = await client.call("EventService/ImportEvents", {"events": [*map(json.loads, lines)]})
    assert stored["stored"] == 1
    log: Any = await client.call("EventService/GetEventChangelog", {"id": kept, "perPage": 100})
    assert len(log["changelog"]) == 61


async def test_an_active_policy_deletes_by_itself_and_notes_it(client: Client) -> None:
    await event(client, "due")
    await event(client, "young", start="2026-11-01T12:00:00Z")
    await policy(client, active=True)
    async with asyncio.timeout(PATIENCE):
        while await titles(client) != {"young"}:
            await asyncio.sleep(0.02)
        while True:
            listed: Any = await client.call(f"{SERVICE}/ListRetentionPolicies", {})
            if listed["policies"][0].get("lastRun"):
                break
            await asyncio.sleep(0.02)
    assert listed["policies"][0]["lastRun"]["deleted"] == 1


async def test_an_age_below_a_day_is_refused(client: Client) -> None:
    with pytest.raises(Refused, match="expected at least a day"):
        await policy(client, keepFor="3600s")


async def test_a_person_is_erased_wherever_it_is_named(client: Client) -> None:
    named = await event(client, "by ann", owner="ann", message="annual report of ann@example.com, by ann.")
    entry = {"changeType": "commented", "user": "ann", "comment": "asked bob and ann"}
    for _ in range(60):
        await client.call("EventService/AddChangelogEntry", {"id": named, "entry": entry})
    await client.call(
        "CatalogService/CreateUpdateCatalog",
        {"name": "ann-service", "type": "module", "owner": "ann", "version": "1"},
    )
    await entries(client, 1, mentions="ann-service")
    asked: Any = {"values": ["ann", "ann@example.com"], "replacement": "someone"}
    found: Any = await client.call(f"{SERVICE}/ErasePerson", {**asked, "dryRun": True})
    assert {each["record"]: each["records"] for each in found["erased"]}.items() >= {
        "event": 1,
        "catalog_entry": 1,
    }.items()
    await client.call(f"{SERVICE}/ErasePerson", asked)
    shown: Any = (await client.call("EventService/GetEvent", {"id": named}))["event"]
    assert shown["title"] == "by someone"
    assert shown["attributes"]["owner"] == "someone"
    assert shown["attributes"]["message"] == "annual report of someone, by someone."
    log: Any = await client.call("EventService/GetEventChangelog", {"id": named, "perPage": 100})
    assert {each["user"] for each in log["changelog"][1:]} == {"someone"}
    assert log["changelog"][-1]["comment"] == "asked bob and someone"
    catalog: Any = await client.call("CatalogService/GetCatalog", {"name": "ann-service"})
    assert catalog["catalog"]["owner"] == "someone"
    left: Any = await client.call("AuditService/ListAuditEntries", {"mentions": "ann@example.com"})
    assert not left.get("entries")
    again: Any = await client.call(f"{SERVICE}/ErasePerson", {**asked, "dryRun": True})
    assert not again.get("erased")


async def test_a_person_in_a_held_event_is_not_erased(client: Client) -> None:
    await event(client, "held", owner="ann")
    await event(client, "other", owner="ann", service="payments")
    await hold(client, "service:payments")
    with pytest.raises(Refused, match="held by the legal hold case-7; nothing is erased"):
        await client.call(f"{SERVICE}/ErasePerson", {"values": ["ann"]})
    found: Any = await client.call(f"{SERVICE}/ErasePerson", {"values": ["ann"], "dryRun": True})
    assert (found["holds"], found["erased"][0]["records"]) == (["case-7"], 2)
