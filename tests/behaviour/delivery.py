"""Deployments of two services, one of which caused an incident, and the numbers of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.behaviour.events import request

if TYPE_CHECKING:
    from tests.clients import Client


async def recorded(client: Client, title: str, day: str, /, end: str = "", **more: Any) -> str:
    times = {"startDate": f"2026-03-{day}Z", "endDate": f"2026-03-{end or day}Z"}
    usual = {"service": "shop", "environment": "production", "type": "deployment", "status": "success"}
    made = await client.call("EventService/CreateEvent", request(title, **{**usual, **times, **more}))
    return str(made["event"]["metadata"]["id"])


async def history(client: Client) -> dict[str, str]:
    """Record deployments of two services, one of which caused an incident, and return ids."""
    ids = {}
    for name, service, version, day, status in (
        ("first", "shop", "1", "02T10:00:00", "success"),
        ("second", "shop", "2", "03T10:00:00", "success"),
        ("back", "shop", "1", "03T12:00:00", "success"),
        ("broken", "shop", "3", "04T10:00:00", "failure"),
        ("other", "api", "7", "05T10:00:00", "done"),
        ("staged", "shop", "3", "05T10:00:00", "success"),
    ):
        place = {"environment": "UAT"} if name == "staged" else {}
        labels = {"labels": {"sha": "0" * 40}} if service == "api" else {}
        told: dict[str, Any] = {"service": service, "version": version, "status": status, **place, **labels}
        ids[name] = await recorded(client, name, day, **told)
    incident = {"type": "incident", "status": "close"}
    ids["outage"] = await recorded(client, "outage", "03T11:00:00", "03T12:30:00", **incident)
    linked = {"id": ids["outage"], "changeId": ids["second"], "link": "caused_by"}
    await client.call("IncidentService/LinkChange", linked)
    return ids


def number(group: Any, metric: str) -> tuple[Any, ...]:
    (found,) = (each for each in group["metrics"] if each["metric"] == metric)
    return found.get("value"), found.get("counted", 0), found.get("among", 0)
