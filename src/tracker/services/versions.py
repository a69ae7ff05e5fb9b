"""The version service: what runs where, now or at a moment past."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tracker.domain.query.fields import ENVIRONMENT, SERVICE, STATUS, TYPE
from tracker.domain.query.tree import EventFilter, all_of, one_of
from tracker.domain.times import read_named, timestamp
from tracker.domain.versions.deployments import BEGUN, deployed_versions
from tracker.domain.versions.schemes import scheme_of
from tracker.pb import event_pb, version_pb
from tracker.services.narrowing import visible
from tracker.services.paging import MOST_READ, given, own, page_token, parse_page_token
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query.tree import Node
    from tracker.services.context import Call, Context
    from tracker.stores.events import EventStore

_SERVICES: Final = 50
"""Services of a page without `limit`."""
_MOST_SERVICES: Final = 100_000
_DEPLOYMENTS: Final = 500
"""Deployments of a service in one environment that are read."""
_DEPLOYED: Final = all_of((one_of(TYPE, (event_pb.Type.deployment,)), one_of(STATUS, BEGUN)))


class VersionService:
    """Answers `tracker.version.v1alpha1.VersionService`."""

    def __init__(
        self, events: EventStore, context: Context, schemes: Sequence[tuple[str, version_pb.Scheme]]
    ) -> None:
        self._events = events
        self._context = context
        self._schemes = schemes

    async def get_deployed_versions(
        self, request: version_pb.GetDeployedVersionsRequest, call: Call
    ) -> version_pb.GetDeployedVersionsResponse:
        as_of = _moment("as_of", request.as_of) if request.as_of else self._context.now()
        compared = _moment("compared_with", request.compared_with) if request.compared_with else None
        filters = (request.service, int(request.environment), request.as_of, request.compared_with)
        query = own(f"versions of {filters!r}", call)
        services = await self._services(request.service, call)
        after = parse_page_token(request.page_token, query)
        left = services if after is None else [each for each in services if each > str(after[0])]
        listed = left[: given(request.limit, _SERVICES)]
        versions: list[version_pb.DeployedVersion] = []
        incomplete = False
        for service in listed:
            events, more = await self._deployments(service, max(as_of, compared or 0) + 1, call)
            scheme = scheme_of(service, self._schemes)
            versions += deployed_versions(service, events, scheme, as_of, compared)
            incomplete |= more
        if request.environment:
            versions = [each for each in versions if each.environment == request.environment]
        self._context.report(call, "deployed versions listed", services=len(listed))
        return version_pb.GetDeployedVersionsResponse(
            versions=versions,
            as_of=timestamp(as_of),
            incomplete=incomplete,
            next_page_token=page_token((listed[-1],) if len(left) > len(listed) else None, query),
        )

    async def _services(self, service: str, call: Call) -> Sequence[str]:
        """Return the names of the services that a request is about and that have deployments, in order."""
        if service:
            return [service]
        _, (tallies,) = await self._events.count_by(
            visible(EventFilter(_DEPLOYED), call), (SERVICE,), _MOST_SERVICES
        )
        return sorted(str(each.value) for each in tallies if each.value)

    async def _deployments(
        self, service: str, until: int, call: Call
    ) -> tuple[Sequence[event_pb.Event], bool]:
        """Return the last deployments of a service in each environment, and whether there are more."""
        of_service = all_of((_DEPLOYED, one_of(SERVICE, (service,))))
        where = visible(EventFilter(of_service, until=until), call)
        _, (tallies,) = await self._events.count_by(where, (ENVIRONMENT,), len(event_pb.Environment))

        async def found(part: Node) -> tuple[Sequence[event_pb.Event], bool]:
            of_part = EventFilter(all_of((of_service, part)), until=until)
            page = await self._events.find(visible(of_part, call), Page(limit=_DEPLOYMENTS, bytes=MOST_READ))
            return page.records, page.next is not None

        parts = await asyncio.gather(*(found(one_of(ENVIRONMENT, (each.value,))) for each in tallies))
        return [event for events, _ in parts for event in events], any(more for _, more in parts)


def _moment(name: str, text: str) -> int:
    return read_named(name, text).interval.low
