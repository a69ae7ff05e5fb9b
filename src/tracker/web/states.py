"""States of Terraform: what is in each, who holds its lock, and its versions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.domain.terraform import RESOURCE
from tracker.pb import lock_pb, terraform_pb
from tracker.web.lock_rows import lock_row
from tracker.web.site import View
from tracker.web.visit import address, part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from tracker.web.lock_rows import LockRow
    from tracker.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a state; `origin` is the number of the one that it was restored from, 0 for none."""

    number: int
    when: Markup
    by: str
    resources: int
    size: int
    serial: int
    terraform: str
    origin: int


@dataclass(frozen=True, slots=True)
class State:
    """A state with its current version, or None before the first."""

    id: str
    service: str
    environment: str
    version: Version | None
    href: str


class StatesPage:
    """Shows all states, or one with its versions."""

    path = "/states"

    async def show(self, visit: Visit) -> View:
        """Show the page."""
        chosen = visit.one("state")
        states, locks, versions = await asyncio.gather(
            part(_states(visit)), part(_locks(visit)), part(_versions(visit, chosen))
        )
        return View("states.html", states=states, locks=locks, versions=versions, chosen=chosen)


async def _states(visit: Visit) -> Sequence[State]:
    asked = terraform_pb.ListStatesRequest()
    states: list[State] = []
    while True:
        found = await visit.ask(asked, terraform_pb.ListStatesResponse)
        states += [_state(each, visit) for each in found.states]
        if not found.next_page_token:
            return states
        asked = terraform_pb.ListStatesRequest(page_token=found.next_page_token)


def _state(state: terraform_pb.State, visit: Visit) -> State:
    return State(
        state.id,
        state.service,
        state.environment,
        _version(state.versions[0], visit) if state.versions else None,
        address("/states", {"state": state.id}),
    )


async def _locks(visit: Visit) -> Mapping[str, LockRow]:
    """Return who holds states, by their ids."""
    found = await visit.ask(lock_pb.ListLocksRequest(resource=RESOURCE), lock_pb.ListLocksResponse)
    held = (lock for lock in found.locks if lock.expired_at is None)
    return {
        "/".join(filter(None, (lock.service, lock.environment))): lock_row(lock, visit.times) for lock in held
    }


async def _versions(visit: Visit, chosen: str) -> Sequence[Version]:
    if not chosen:
        return ()
    service, _, environment = chosen.partition("/")
    found = await visit.ask(
        terraform_pb.ListStateVersionsRequest(service=service, environment=environment),
        terraform_pb.ListStateVersionsResponse,
    )
    return [_version(each, visit) for each in found.versions]


def _version(version: terraform_pb.StateVersion, visit: Visit) -> Version:
    return Version(
        version.number,
        visit.times.tag(version.created_at, age=True),
        version.created_by or "",
        version.resource_count,
        version.size,
        version.serial,
        version.terraform_version,
        version.restored_from,
    )
