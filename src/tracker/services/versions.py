"""The version service: what runs where, now or at an earlier time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tracker.domain.access import glob
from tracker.domain.environments import environment_name
from tracker.domain.query.fields import BY_NAME, ENVIRONMENT, SERVICE, STATUS, TYPE
from tracker.domain.query.matching import fits
from tracker.domain.query.tree import EventFilter, Term, all_of, one_of
from tracker.domain.times import read_named, timestamp
from tracker.domain.versions.deployments import BEGUN, Comparison, Promotion, deployed_versions, in_use
from tracker.domain.versions.schemes import scheme_of
from tracker.errors import FieldViolation, invalid
from tracker.pb import catalog_pb, event_pb, version_pb
from tracker.pb.options import number_named, wire_name
from tracker.permissions import Permission
from tracker.services.narrowing import may_touch, visible
from tracker.services.paging import MOST_READ, given, own, page_token, parse_page_token, without_page
from tracker.stores.pages import Page, Total

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.event_briefs import EventBrief
    from tracker.domain.query.tree import Node
    from tracker.services.context import Call, Context
    from tracker.stores.base import Store

_SERVICES: Final = 50
"""Services of a page without `limit`."""
_MOST_SERVICES: Final = 100_000
_DEPLOYMENTS: Final = 200
"""Deployments of a service in one environment that are read."""
_LAST: Final = Page(limit=_DEPLOYMENTS, bytes=MOST_READ, total=Total(0))  # nobody asks how many there are
_DEPLOYED: Final = all_of((one_of(TYPE, (event_pb.Type.deployment,)), one_of(STATUS, BEGUN)))


class VersionService:
    """Answers `tracker.version.v1alpha1.VersionService`."""

    def __init__(
        self,
        store: Store,
        context: Context,
        schemes: Sequence[tuple[str, version_pb.Scheme]],
        order: Sequence[str],
    ) -> None:
        self._events = store.events
        self._catalog = store.catalog
        self._context = context
        self._schemes = schemes
        self._promotion = Promotion(tuple(filter(None, map(_environment, order))))

    async def get_deployed_versions(
        self, request: version_pb.GetDeployedVersionsRequest, call: Call
    ) -> version_pb.GetDeployedVersionsResponse:
        as_of = _moment("as_of", request.as_of) if request.as_of else self._context.now()
        comparison = _comparison(request)
        query = own(f"versions of {without_page(request)!r}", call)
        services = await self._services(request, call)
        after = parse_page_token(request.page_token, query)
        left = services if after is None else [each for each in services if each > str(after[0])]
        listed = left[: given(request.limit, _SERVICES)]
        versions: list[version_pb.DeployedVersion] = []
        incomplete = False
        until = max(as_of, (comparison and comparison.moment) or 0) + 1
        for service in listed:
            events, more = await self._deployments(service, until, call)
            scheme = scheme_of(service, self._schemes)
            versions += deployed_versions(service, events, scheme, as_of, comparison, self._promotion)
            incomplete |= more
        if request.environment:
            versions = [each for each in versions if each.environment == request.environment]
        if request.version:
            wanted = glob(request.version)
            versions = [
                each for each in versions if fits(wanted, each.version) or fits(wanted, each.compared_version)
            ]
        self._context.report(call, "deployed versions listed", services=len(listed))
        return version_pb.GetDeployedVersionsResponse(
            versions=versions,
            as_of=timestamp(as_of),
            incomplete=incomplete,
            next_page_token=page_token((listed[-1],) if len(left) > len(listed) else None, query),
            environments=sorted(
                {each.environment for each in versions if each.environment}, key=self._promotion.place
            ),
        )

    async def observed(self, service: str, call: Call) -> catalog_pb.ObservedVersions | None:
        """Return what was deployed of a service, as far as a call may read it; None for nothing."""
        now = self._context.now()
        events, _ = await self._deployments(service, now + 1, call)
        scheme = scheme_of(service, self._schemes)
        versions = deployed_versions(service, events, scheme, now, None, self._promotion)
        found = in_use(versions, self._promotion)
        if found is None:
            return None
        return catalog_pb.ObservedVersions(
            version=found.version,
            environment=wire_name(found.environment),
            since=found.since,
            event_id=found.event_id,
            latest_version=found.newest_version,
        )

    async def _services(self, request: version_pb.GetDeployedVersionsRequest, call: Call) -> Sequence[str]:
        """Return the names of the services that a request is about and that have deployments, in order."""
        found = [request.service]
        if not request.service:
            of_version = [Term(BY_NAME["version"], (glob(request.version),))] if request.version else []
            where = visible(EventFilter(all_of((_DEPLOYED, *of_version))), call)
            _, (tallies,) = await self._events.count_by(where, (SERVICE,), _MOST_SERVICES)
            found = sorted(str(each.value) for each in tallies if each.value)
        if request.services:
            patterns = tuple(map(glob, request.services))
            found = [each for each in found if any(fits(pattern, each) for pattern in patterns)]
        if request.team:
            entries = (await self._catalog.find(Page())).records
            owned = {
                entry.name
                for entry in entries
                if entry.owner == request.team and may_touch(call, Permission.CATALOG_READ, entry)
            }
            found = [each for each in found if each in owned]
        return found

    async def _deployments(self, service: str, until: int, call: Call) -> tuple[Sequence[EventBrief], bool]:
        """Return the last deployments of a service in each environment, and whether there are more."""
        of_service = all_of((_DEPLOYED, one_of(SERVICE, (service,))))
        where = visible(EventFilter(of_service, until=until), call)
        _, (tallies,) = await self._events.count_by(where, (ENVIRONMENT,), len(event_pb.Environment))

        async def found(part: Node) -> tuple[Sequence[EventBrief], bool]:
            of_part = EventFilter(all_of((of_service, part)), until=until)
            page = await self._events.find_briefs(visible(of_part, call), _LAST)
            return page.records, page.next is not None

        parts = await asyncio.gather(*(found(one_of(ENVIRONMENT, (each.value,))) for each in tallies))
        return [event for events, _ in parts for event in events], any(more for _, more in parts)


def _comparison(request: version_pb.GetDeployedVersionsRequest) -> Comparison | None:
    if request.compared_environment:
        if request.compared_with:
            text = "expected no moment to compare with, where environments are compared"
            raise invalid(FieldViolation("compared_with", text))
        if request.environment in {0, request.compared_environment}:
            text = "expected the environment that is compared, another one than compared_environment"
            raise invalid(FieldViolation("environment", text))
        pair = (request.environment, request.compared_environment)
        return Comparison(environments=pair, unchanged=request.unchanged)
    if request.compared_with:
        return Comparison(_moment("compared_with", request.compared_with), unchanged=request.unchanged)
    return None


def _environment(name: str) -> event_pb.Environment | None:
    """Return the environment of a name, None for one that events don't have."""
    number = number_named(event_pb.Environment.desc(), environment_name(name.strip()))
    return event_pb.Environment(number) if number else None


def _moment(name: str, text: str) -> int:
    return read_named(name, text).interval.low
