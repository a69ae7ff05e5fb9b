"""What runs where: the versions of services in their environments."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tracker.pb import event_pb
from tracker.web.catalog.activity import SUCCESSES, production_first
from tracker.web.catalog.health import health
from tracker.web.catalog.names import VERSIONS
from tracker.web.entry_address import CATALOG, entry_address
from tracker.web.event_rows import event_row
from tracker.web.query_terms import quoted
from tracker.web.searches import search
from tracker.web.site import View
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.web.catalog.health import Health
    from tracker.web.event_rows import EventRow
    from tracker.web.tones import Label
    from tracker.web.visit import Visit

_MOST: Final = 1_000
_SPECIAL: Final = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True, slots=True)
class Service:
    """A service with its last successful deployment to each environment, None where there is none."""

    name: str
    href: str
    now: Sequence[Label]
    deployed: Sequence[EventRow | None]


@dataclass(frozen=True, slots=True)
class Versions:
    """Services by environments; `oldest` is the last one looked at, if there are older ones."""

    environments: Sequence[str]
    services: Sequence[Service]
    oldest: EventRow | None


async def versions_page(visit: Visit) -> View:
    """Show the versions that the filters in the address leave."""
    found, now = await asyncio.gather(part(_deployments(visit)), part(health(visit)))
    return View(
        "catalog/versions.html",
        versions=_versions(visit, found.value, now.value or {}) if found.value is not None else None,
        error=found.error,
        now_error=now.error,
        service=visit.one("service"),
        version=visit.one("version"),
        environment=visit.one("environment"),
        choices=[each.name for each in sorted(event_pb.Environment, key=production_first) if each],
        plain=address(CATALOG, {"view": VERSIONS}),
    )


async def _deployments(visit: Visit) -> event_pb.SearchEventsResponse:
    wanted = [("service", _containing(visit.one("service"))), ("version", _containing(visit.one("version")))]
    if visit.one("environment"):
        wanted.append(("environment", quoted(visit.one("environment"))))
    terms = [f"{field}:{value}" for field, value in wanted if value]
    return await search(visit, " ".join([SUCCESSES, "has:environment", *terms]), _MOST)


def _containing(text: str) -> str:
    """Return the pattern of a query for values that contain a text."""
    return f"*{_SPECIAL.sub('*', text)}*" if text else ""


def _versions(visit: Visit, found: event_pb.SearchEventsResponse, now: Health) -> Versions:
    last: dict[tuple[str, str], EventRow] = {}
    for event in found.events:
        row = event_row(event, visit.times)
        last.setdefault((row.service, row.environment), row)
    seen = {environment for _, environment in last}
    named = [each.name for each in sorted(event_pb.Environment, key=production_first) if each.name in seen]
    services = sorted({service for service, _ in last})
    return Versions(
        named,
        [
            Service(name, entry_address(name), now.get(name, ()), [last.get((name, each)) for each in named])
            for name in services
        ],
        event_row(found.events[-1], visit.times) if found.next_page_token else None,
    )
