"""The service of deployments: whether one may begin."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.domain.dependencies import dependencies_of
from tracker.domain.deployments import (
    GRAVE,
    OPEN,
    PLANNED,
    TRIED,
    WORK,
    ApprovalRule,
    Facts,
    reasons_for,
    verdict_of,
)
from tracker.domain.environments import environment_key, environment_name
from tracker.domain.events import ENDED_WELL, FINISHED, RUNNING, attributes_of, event_id, event_key
from tracker.domain.freeze_scopes import visible_part
from tracker.domain.freezes import in_effect
from tracker.domain.locks import DEFAULT_RESOURCE, LockKey
from tracker.domain.query.fields import BY_NAME, ENVIRONMENT, RELATED, SERVICE, STATUS, TYPE
from tracker.domain.query.text import quoted
from tracker.domain.query.tree import EventFilter, Has, Not, Range, Term, all_of, one_of
from tracker.domain.scopes import Subject
from tracker.domain.times import micros, timestamp
from tracker.pb import deployment_pb, event_pb, lock_pb
from tracker.pb.options import number_named
from tracker.permissions import Permission
from tracker.services.context import permission_required
from tracker.services.events.filters import event_not_found, with_query
from tracker.services.narrowing import may_touch
from tracker.services.paging import MOST_READ
from tracker.stores.pages import Page, Total
from tracker.time_text import DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tracker.domain.deployments import CustomRule
    from tracker.domain.freezes import Occurrence
    from tracker.domain.query.tree import Node
    from tracker.services.context import Call, Context
    from tracker.stores.base import Store

_DEPLOYMENT: Final = one_of(TYPE, [event_pb.Type.deployment])
_MOST: Final = 100
"""Events of each kind that are reasons."""
_MOST_LOOKED_AT: Final = 1_000
"""Events of each kind, the newest, that are read until so many are found that have not ended."""
_AHEAD: Final = 400 * DAY
"""How far ahead the end of freeze windows is looked for."""


@dataclass(frozen=True, slots=True)
class DeploymentPolicy:
    """What the settings say: approvals by environment, the order of environments, and further rules.

    An approval lasts `approval_micros`. `anonymous_approve` is whether callers without credentials approve.
    """

    approvals: Mapping[str, int]
    approval_micros: int
    anonymous_approve: bool
    order: Sequence[str]
    rules: Sequence[CustomRule]


class _Asked(NamedTuple):
    """What is asked for, with the number of its environment in events, None for one that these don't have."""

    service: str
    environment: str
    number: int | None
    at: int
    now: int


class DeploymentService:
    """Answers `tracker.deployment.v1alpha1.DeploymentService`."""

    def __init__(
        self, store: Store, context: Context, policy: DeploymentPolicy, person_of: Callable[[str], str]
    ) -> None:
        self._store = store
        self._context = context
        self._policy = policy
        self._person_of = person_of

    async def check_deployment(
        self, request: deployment_pb.CheckDeploymentRequest, call: Call
    ) -> deployment_pb.CheckDeploymentResponse:
        now = self._context.now()
        environment = environment_name(request.environment.strip())
        asked = _Asked(
            request.service,
            environment,
            number_named(event_pb.Environment.desc(), environment) or None,
            now if request.at is None else micros(request.at),
            now,
        )
        calls, owner = await self._described(asked.service)
        if not call.principal.may_touch(Permission.EVENT_READ, asked.service, environment, owner):
            where = f" for service {asked.service}, environment {environment}"  # not for its team, who it is
            raise permission_required(call.principal, Permission.EVENT_READ, where)
        own = await self._own(request.event_id, call) if request.event_id else None
        linked = await self._linked(own, call)
        facts = await self._facts(asked, request.version, (own, linked), calls, owner)
        reasons = reasons_for(facts, lambda record: _readable(call, record))
        verdict, later = verdict_of(reasons)
        self._context.report(
            call,
            "deployment checked",
            service=asked.service,
            environment=environment,
            verdict=verdict.name,
            reasons=len(reasons),
        )
        return deployment_pb.CheckDeploymentResponse(
            verdict=verdict,
            not_before=None if later is None else timestamp(later),
            reasons=reasons,
            checked_at=timestamp(now),
        )

    async def _facts(
        self,
        asked: _Asked,
        version: str,
        events: tuple[event_pb.Event | None, event_pb.Event | None],
        calls: Sequence[str],
        owner: str,
    ) -> Facts:
        """Return what is known; `events` are that of this deployment, and the one that it links to."""
        here = (one_of(SERVICE, [asked.service]), one_of(ENVIRONMENT, [asked.number or 0]))
        there = () if asked.number is None else (one_of(ENVIRONMENT, [asked.number, 0]),)
        troubles = (one_of(TYPE, [event_pb.Type.incident]), one_of(SERVICE, [asked.service, *calls]), *there)
        grave = one_of(BY_NAME["priority"], sorted(GRAVE))
        work = (*here, one_of(TYPE, WORK))
        ending = Term(BY_NAME["end"], (Range(asked.at + 1, None),))
        incidents, lesser, works, planned, last = await asyncio.gather(
            self._not_ended((*troubles, _any(OPEN), grave)),
            self._not_ended((*troubles, _any(OPEN), Not(grave))),
            self._not_ended((*work, _any(RUNNING))),
            self._not_ended((*work, _any(PLANNED), ending), until=asked.at + 1),
            self._find((*here, _DEPLOYMENT, _any(TRIED)), 1, until=asked.now + 1),
        )
        key = LockKey(asked.service, environment_key(asked.environment), DEFAULT_RESOURCE)
        own_ids = {event_id(each) for each in events if each is not None}
        own_id = "" if events[0] is None else event_id(events[0])
        return Facts(
            service=asked.service,
            environment=asked.environment,
            version=version,
            at=asked.at,
            now=asked.now,
            occurrences=in_effect(
                await self._store.freezes.find(),
                asked.at,
                asked.at + _AHEAD,
                Subject(asked.service, asked.environment, owner),
            ),
            lock=await self._store.locks.holder(key),
            incidents=[each for each in (*incidents, *lesser) if event_id(each) != own_id],
            works=[e for e in (*works, *planned) if event_id(e) not in own_ids] if asked.number else (),
            last=last if asked.number else (),
            own=events[0],
            linked=events[1],
            approvals=self._approvals(asked.environment),
            before=await self._before(asked, version) if version else None,
            found=await self._found(asked),
        )

    async def _described(self, service: str) -> tuple[Sequence[str], str]:
        """Return what a service depends on directly, and who owns it, as the catalog says."""
        found = await self._store.catalog.find(Page())
        owner = next((entry.owner for entry in found.records if entry.name == service), "")
        return dependencies_of(found.records).calls.get(service, ()), owner

    async def _own(self, given: str, call: Call) -> event_pb.Event:
        event = await self._store.events.get(event_key(given))
        if event is None or not may_touch(call, Permission.EVENT_READ, event):
            raise event_not_found(given)
        return event

    async def _linked(self, own: event_pb.Event | None, call: Call) -> event_pb.Event | None:
        """Return the event that an event links to, if the call may read it."""
        related = "" if own is None else attributes_of(own).related_id
        event = await self._store.events.get(event_key(related)) if related else None
        return event if event is not None and may_touch(call, Permission.EVENT_READ, event) else None

    async def _find(
        self, parts: Iterable[Node], most: int, *, until: int | None = None
    ) -> Sequence[event_pb.Event]:
        where = EventFilter(all_of(tuple(parts)), until=until)
        return (await self._store.events.find(where, Page(limit=most, bytes=MOST_READ))).records

    async def _not_ended(self, parts: Iterable[Node], until: int | None = None) -> Sequence[event_pb.Event]:
        """Return events whose end no other one reports, of their type and linked to them."""
        where = EventFilter(all_of(tuple(parts)), until=until)
        page: Page | None = Page(limit=_MOST, bytes=MOST_READ, total=Total(0))  # nobody asks how many
        read, left = 0, list[event_pb.Event]()
        while page is not None and read < _MOST_LOOKED_AT and len(left) < _MOST:
            found = await self._store.events.find(where, page)
            read += len(found.records)
            left += await self._without_ended(found.records)
            page = None if found.next is None else replace(page, after=found.next)
        return left

    async def _without_ended(self, events: Sequence[event_pb.Event]) -> Sequence[event_pb.Event]:
        if not events:
            return ()
        linked = one_of(RELATED, [event_id(each) for each in events])
        types = one_of(TYPE, sorted({attributes_of(each).type for each in events}))
        ends = await self._find((linked, types, _any(FINISHED)), 10 * _MOST)
        over = {(attributes_of(end).related_id, attributes_of(end).type) for end in ends}
        return [each for each in events if (event_id(each), attributes_of(each).type) not in over]

    def _approvals(self, environment: str) -> ApprovalRule | None:
        count = self._policy.approvals.get(environment_key(environment), 0)
        if not count:
            return None
        return ApprovalRule(
            count, self._policy.approval_micros, self._policy.anonymous_approve, self._person_of
        )

    async def _before(self, asked: _Asked, version: str) -> tuple[str, bool] | None:
        """Return the environment in which a version must have been deployed before, and whether it was."""
        order = [environment_key(each) for each in self._policy.order]
        place = (
            order.index(environment_key(asked.environment))
            if environment_key(asked.environment) in order
            else 0
        )
        if not place:
            return None
        before = environment_name(self._policy.order[place - 1])
        number = number_named(event_pb.Environment.desc(), before) or 0
        there = (one_of(SERVICE, [asked.service]), one_of(ENVIRONMENT, [number]), _DEPLOYMENT)
        of_version, ended_well = one_of(BY_NAME["version"], [version]), _any(ENDED_WELL)
        found = await self._find((*there, of_version, ended_well), 1)
        if not found and (begun := await self._find((*there, of_version, _any(RUNNING)), _MOST)):
            linked = one_of(RELATED, [event_id(each) for each in begun])
            found = await self._find((*there, linked, ended_well, Not(Has(BY_NAME["version"]))), 1)
        return before, bool(found)

    async def _found(self, asked: _Asked) -> Mapping[CustomRule, event_pb.Event]:
        """Return an event for each further rule whose query finds one."""
        clock, found = self._context.query_clock(), {}
        for rule in self._policy.rules:
            text = for_service(rule.query, asked.service, asked.environment)
            where = with_query(EventFilter(), text, clock)
            events = await self._store.events.find(where, Page(limit=1, bytes=MOST_READ))
            if events.records:
                found[rule] = events.records[0]
        return found


def for_service(query: str, service: str, environment: str) -> str:
    """Return a query with the names of a service and an environment for `$service` and `$environment`."""
    return query.replace("$service", quoted(service)).replace("$environment", quoted(environment))


def _any(statuses: Iterable[event_pb.Status]) -> Node:
    return one_of(STATUS, sorted(statuses))


def _readable(call: Call, record: event_pb.Event | lock_pb.Lock | Occurrence) -> bool:
    match record:
        case event_pb.Event():
            return may_touch(call, Permission.EVENT_READ, record)
        case lock_pb.Lock():
            return may_touch(call, Permission.LOCK_READ, record)
        case _:
            return visible_part(record.window, call.principal.scopes(Permission.FREEZE_READ)) is not None
