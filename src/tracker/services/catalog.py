"""The catalog service: what exists, who owns it, what it uses."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING

from tracker.domain.catalog import changed_by, described_entry, followed, updated_entry, version_compliance
from tracker.errors import FieldViolation, Reason, TrackerError, invalid
from tracker.pb import catalog_pb
from tracker.permissions import Permission
from tracker.services.context import answer_with, permission_required
from tracker.services.narrowing import may_touch, require_change
from tracker.services.paging import (
    PAGE_BYTES,
    answer_bytes,
    fitting,
    note_short_page,
    own,
    page_token,
    page_within,
    parse_page_token,
    requested_page,
)
from tracker.stores.pages import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from tracker.services.context import Call, Context, M
    from tracker.services.versions import VersionService
    from tracker.stores.base import CatalogStore


_LARGEST = PAGE_BYTES + 2**20 - 2**14
"""Bytes of an entry that fits an answer of 4 MiB."""


class CatalogService:
    """Answers `tracker.catalog.v1alpha1.CatalogService`."""

    def __init__(self, store: CatalogStore, context: Context, versions: VersionService) -> None:
        self._store = store
        self._context = context
        self._versions = versions

    async def create_update_catalog(
        self, request: catalog_pb.CreateUpdateCatalogRequest, call: Call
    ) -> catalog_pb.CreateUpdateCatalogResponse:
        call.require(Permission.CATALOG_WRITE, request.name, team=request.owner)
        now = self._context.now()
        created = False
        where = f" for the stored entry {request.name}"
        hidden = partial(permission_required, call.principal, Permission.CATALOG_WRITE, where)

        def describe(stored: catalog_pb.Catalog | None) -> catalog_pb.Catalog:
            nonlocal created
            created = stored is None
            if stored is not None:
                require_change(call, Permission.CATALOG_WRITE, stored, hidden)
            return _bounded(changed_by(described_entry(request, stored, now), call.principal))

        entry = await self._store.upsert(request.name, describe, call.once(_described))
        self._context.report(
            call,
            "catalog created" if created else "catalog updated",
            name=entry.name,
            who=entry.updated_by,
        )
        return _described(entry)

    async def get_catalog(
        self, request: catalog_pb.GetCatalogRequest, call: Call
    ) -> catalog_pb.GetCatalogResponse:
        entry = await self._store.get(request.name)
        if entry is None or not may_touch(call, Permission.CATALOG_READ, entry):
            raise _not_found(request.name)
        if not entry.version_pinned:
            entry = copy.copy(entry)
            entry.observed = await self._versions.observed(entry.name, call)
        return catalog_pb.GetCatalogResponse(catalog=entry)

    async def delete_catalog(
        self, request: catalog_pb.DeleteCatalogRequest, call: Call
    ) -> catalog_pb.DeleteCatalogResponse:
        answer = catalog_pb.DeleteCatalogResponse(message="catalog deleted", name=request.name)
        unknown = partial(_not_found, request.name)

        def check(entry: catalog_pb.Catalog) -> None:
            require_change(call, Permission.CATALOG_WRITE, entry, unknown)

        if not await self._store.delete(request.name, call.once(lambda _: answer), check):
            raise _not_found(request.name)
        self._context.report(call, "catalog deleted", name=request.name, who=request.who)
        return answer

    async def list_catalogs(
        self, request: catalog_pb.ListCatalogsRequest, call: Call
    ) -> catalog_pb.ListCatalogsResponse:
        query = own("catalog", call)
        page = requested_page(request, query, default=None, call=call)
        if call.principal.scopes(Permission.CATALOG_READ) is None:
            found = await self._store.find(page)
        else:
            within = partial(may_touch, call, Permission.CATALOG_READ)
            found = page_within((await self._store.find(Page())).records, page, within, _cursor)
        note_short_page(request, page, found, call)
        token = page_token(found.next, query)
        return catalog_pb.ListCatalogsResponse(
            catalogs=list(found.records), total_count=found.total, next_page_token=token
        )

    async def get_version_compliance(
        self, request: catalog_pb.GetVersionComplianceRequest, call: Call
    ) -> catalog_pb.GetVersionComplianceResponse:
        found = await self._store.find(Page())
        readable = [each for each in found.records if may_touch(call, Permission.CATALOG_READ, each)]
        observed = {
            name: versions.latest_version
            for name in sorted(followed(readable, request.types))
            if (versions := await self._versions.observed(name, call)) is not None
        }
        compliance = version_compliance(readable, request.types, observed)
        projects = len(compliance.projects)
        self._context.report(call, "version compliance check completed", projects=projects)
        query = own(f"compliance {request.types}", call)
        summary = compliance.summary or catalog_pb.ComplianceSummary()
        records: list[catalog_pb.ProjectCompliance | catalog_pb.DeliverableComplianceStats]
        records = [*compliance.projects, *summary.deliverable_stats]
        fit, rest = fitting(records, parse_page_token(request.page_token, query), answer_bytes(call))
        compliance.projects = [each for each in fit if isinstance(each, catalog_pb.ProjectCompliance)]
        summary.deliverable_stats = [
            each for each in fit if isinstance(each, catalog_pb.DeliverableComplianceStats)
        ]
        compliance.next_page_token = page_token(rest, query)
        return compliance

    async def update_versions(
        self, request: catalog_pb.UpdateVersionsRequest, call: Call
    ) -> catalog_pb.UpdateVersionsResponse:
        return await self._update(request, call, _versions_updated, "catalog versions updated")

    async def update_dependencies(
        self, request: catalog_pb.UpdateDependenciesRequest, call: Call
    ) -> catalog_pb.UpdateDependenciesResponse:
        return await self._update(request, call, _dependencies_updated, "catalog dependencies updated")

    async def _update(
        self,
        request: catalog_pb.UpdateVersionsRequest | catalog_pb.UpdateDependenciesRequest,
        call: Call,
        answer: Callable[[catalog_pb.Catalog], M],
        message: str,
    ) -> M:
        now = self._context.now()

        def unknown() -> TrackerError:
            return TrackerError(Reason.CATALOG_NOT_FOUND, f"catalog {request.name} not found")

        def update(stored: catalog_pb.Catalog) -> catalog_pb.Catalog:
            require_change(call, Permission.CATALOG_WRITE, stored, unknown)
            return _bounded(changed_by(updated_entry(stored, request, now), call.principal))

        entry = await self._store.modify(request.name, update, call.once(answer))
        if entry is None:
            raise unknown()
        self._context.report(call, message, name=entry.name, who=entry.updated_by)
        return answer(entry)


_described = answer_with(catalog_pb.CreateUpdateCatalogResponse, "catalog")
_versions_updated = answer_with(catalog_pb.UpdateVersionsResponse, "catalog")
_dependencies_updated = answer_with(catalog_pb.UpdateDependenciesResponse, "catalog")


def _bounded(entry: catalog_pb.Catalog) -> catalog_pb.Catalog:
    """Refuse an entry that is too large for an answer."""
    if len(entry.to_binary()) > _LARGEST:
        raise invalid(FieldViolation("", "the catalog entry would be larger than 4 MiB, all calls together"))
    return entry


def _cursor(entry: catalog_pb.Catalog) -> tuple[str]:
    return (entry.name,)


def _not_found(name: str) -> TrackerError:
    return TrackerError(Reason.CATALOG_NOT_FOUND, f"no catalog found in tracker for id {name}")
