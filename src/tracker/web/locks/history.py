"""What happened to the locks of a service, an environment and a resource."""

from __future__ import annotations

import asyncio
import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker.domain.locks import lock_key
from tracker.pb import audit_pb, event_pb, lock_pb
from tracker.pb.options import wire_name
from tracker.web.event_rows import event_row
from tracker.web.query_terms import term
from tracker.web.searches import search
from tracker.web.site import View
from tracker.web.tones import Label
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markupsafe import Markup

    from tracker.domain.locks import LockKey
    from tracker.web.event_rows import EventRow
    from tracker.web.visit import Visit

_ENTRIES: Final = 1_000
"""Entries of the audit log that are read; those that mention the service."""
_SHOWN: Final = 50
_EVENTS: Final = 20
_KNOWN: Final = frozenset(wire_name(each).lower() for each in event_pb.Environment if each)
_LABELS: Final = {
    "created": Label("taken", "run", "lock"),
    "released": Label("released", "ok", "check"),
    "expired": Label("expired", "warn", "clock"),
    "forced": Label("released by force", "bad", "cross"),
    "event_ended": Label("released with its event", "ok", "check"),
    "abandoned": Label("given back", "note", "dot"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """What happened to a lock: `who` held it, `by` did it."""

    when: Markup
    what: Label
    who: str
    by: str
    reason: str
    token: str


class LockHistory:
    """Shows what happened to the locks of a key, also of one that is free."""

    path = "/locks/history"

    async def show(self, visit: Visit) -> View:
        """Show the history of the key that the address names."""
        lock = lock_pb.Lock(
            service=visit.one("service"), environment=visit.one("environment"), resource=visit.one("resource")
        )
        history, events = await asyncio.gather(part(history_of(visit, lock)), part(events_of(visit, lock)))
        mentioned = [("record", "lock"), ("mentions", lock.service)]
        command = f"tracker audit list --record lock --mentions {shlex.quote(lock.service)}"
        return View(
            "locks/history.html",
            key=lock_key(lock),
            history=history,
            events=events,
            api=address("/api/v1alpha1/audit/entries", mentioned),
            tracker=command,
        )


async def history_of(visit: Visit, lock: lock_pb.Lock) -> tuple[Step, ...]:
    """Return what the audit log says of the locks with the same key, newest first."""
    found = await visit.ask(
        audit_pb.ListAuditEntriesRequest(
            record="lock", mentions=lock.service[:200], newest_first=True, limit=_ENTRIES
        ),
        audit_pb.ListAuditEntriesResponse,
    )
    return tuple(_steps(visit, found.entries, lock_key(lock)))[:_SHOWN]


async def events_of(visit: Visit, lock: lock_pb.Lock) -> tuple[tuple[EventRow, ...], str]:
    """Return the last events of the service in the environment, and the address of all."""
    key = lock_key(lock)
    named = (("service", key.service), ("environment", key.environment if key.environment in _KNOWN else ""))
    query = " ".join(term(name, value) for name, value in named if value)
    found = await search(visit, query, _EVENTS)
    rows = tuple(event_row(event, visit.times) for event in found.events)
    return rows, address("/events", {"q": query, "from": "all"})


def _steps(visit: Visit, entries: list[audit_pb.AuditEntry], key: LockKey) -> Iterator[Step]:
    for entry in entries:
        content = _content(entry)
        document = content.get("after") or content.get("before")
        if entry.action not in _LABELS or not isinstance(document, dict):
            continue
        lock = lock_pb.Lock(
            service=str(document.get("service", "")),
            environment=str(document.get("environment", "")),
            resource=str(document.get("resource", "")),
        )
        if lock_key(lock) != key:
            continue
        yield Step(
            visit.times.tag(entry.at),
            _LABELS[entry.action],
            str(document.get("who", "")),
            str(content.get("principal", "")),
            str(content.get("reason") or document.get("reason", "")),
            str(document.get("fencingToken", "")),
        )


def _content(entry: audit_pb.AuditEntry) -> dict[str, Any]:
    """Return what an entry says, nothing of a damaged one."""
    try:
        content = json.loads(entry.content)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
