"""Rules of the catalog: how an entry is created and changed, and version compliance.

Compliance is which projects use which deliverables, and whether in their reference version.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

from tracker.domain.times import timestamp
from tracker.pb import catalog_pb

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from protobuf import Message

    from tracker.domain.access import Principal

_KEPT = ("created_at", "available_versions", "latest_version", "reference_version")
"""Fields of a stored entry that a new description does not replace."""


def described_entry(
    request: catalog_pb.CreateUpdateCatalogRequest, stored: catalog_pb.Catalog | None, now: int
) -> catalog_pb.Catalog:
    """Return the entry that a request describes, with the creation time and the versions of `stored`.

    Times in the request are ignored.
    """
    entry = catalog_pb.Catalog()
    _copy_shared(request, entry)
    entry.created_at = timestamp(now)
    if stored is not None:
        for name in _KEPT:
            setattr(entry, name, getattr(stored, name))
    entry.updated_at = timestamp(now)
    return entry


def updated_entry(
    stored: catalog_pb.Catalog,
    request: catalog_pb.UpdateVersionsRequest | catalog_pb.UpdateDependenciesRequest,
    now: int,
) -> catalog_pb.Catalog:
    """Return an entry with the versions or dependencies of a request, all of them replaced."""
    entry = copy.copy(stored)
    _copy_shared(request, entry)
    entry.updated_at = timestamp(now)
    return entry


def changed_by(entry: catalog_pb.Catalog, principal: Principal) -> catalog_pb.Catalog:
    """Return an entry as a principal changed it; callers without credentials name themselves."""
    entry = copy.copy(entry)
    entry.clear_field("claimed_updated_by")
    if not principal.is_anonymous:
        if entry.updated_by not in {"", principal.name}:
            entry.claimed_updated_by = entry.updated_by
        entry.updated_by = principal.name
    return entry


def _copy_shared(source: Message, target: catalog_pb.Catalog) -> None:
    """Copy every field that both messages have, by name."""
    names = {field.local_name for field in catalog_pb.Catalog.desc().fields}
    for field in type(source).desc().fields:
        if field.local_name in names:
            setattr(target, field.local_name, getattr(source, field.local_name))


_Type = catalog_pb.Type


def followed(entries: Sequence[catalog_pb.Catalog], types: Collection[catalog_pb.Type]) -> AbstractSet[str]:
    """Return the names of used deliverables whose latest version is the newest that was deployed.

    Nobody has written one, and none is pinned.
    """
    used = {use.name for entry in entries if entry.type == _Type.project for use in entry.used_deliverables}
    return {
        entry.name
        for entry in entries
        if entry.name in used
        and _is_deliverable(entry, types)
        and not (entry.latest_version or entry.version_pinned)
    }


def _is_deliverable(entry: catalog_pb.Catalog, types: Collection[catalog_pb.Type]) -> bool:
    return entry.type != _Type.project and (not types or entry.type in types)


def version_compliance(
    entries: Iterable[catalog_pb.Catalog],
    types: Collection[catalog_pb.Type] = (),
    observed: Mapping[str, str] = MappingProxyType({}),
) -> catalog_pb.GetVersionComplianceResponse:
    """Return the compliance of the projects of a catalog.

    `observed` are the latest versions of deliverables that follow what was deployed.

    A deliverable is any entry that is not a project, of one of `types` if given. A version is outdated where
    the deliverable has a reference version and the project uses another. Unknown deliverables are left out.
    Projects and deliverables are ordered by name.
    """
    by_name = {entry.name: entry for entry in entries}
    deliverables = {
        name: _following(entry, observed.get(name, ""))
        for name, entry in by_name.items()
        if _is_deliverable(entry, types)
    }
    projects = [
        _project(entry, deliverables) for _, entry in sorted(by_name.items()) if entry.type == _Type.project
    ]
    return catalog_pb.GetVersionComplianceResponse(
        projects=projects, summary=_summary(projects, deliverables)
    )


def _following(entry: catalog_pb.Catalog, latest: str) -> catalog_pb.Catalog:
    if not latest:
        return entry
    entry = copy.copy(entry)
    entry.latest_version = latest
    return entry


def percentage(part: int, whole: int) -> float:
    """Return `part` of `whole` in per cent; all of nothing is 100."""
    return 100.0 * part / whole if whole else 100.0


def _project(
    project: catalog_pb.Catalog, deliverables: Mapping[str, catalog_pb.Catalog]
) -> catalog_pb.ProjectCompliance:
    known = [used for used in project.used_deliverables if used.name in deliverables]
    usages = [_usage(used, deliverables[used.name]) for used in sorted(known, key=attrgetter("name"))]
    outdated = sum(usage.is_outdated for usage in usages)
    return catalog_pb.ProjectCompliance(
        project_name=project.name,
        deliverables=usages,
        outdated_count=outdated,
        total_count=len(usages),
        compliance_percentage=percentage(len(usages) - outdated, len(usages)),
    )


def _usage(used: catalog_pb.UsedDeliverable, deliverable: catalog_pb.Catalog) -> catalog_pb.DeliverableUsage:
    reference, latest = deliverable.reference_version, deliverable.latest_version
    return catalog_pb.DeliverableUsage(
        name=used.name,
        type=deliverable.type,
        current_version=used.version_used,
        latest_version=latest,
        reference_version=reference,
        is_outdated=bool(reference) and used.version_used != reference,
        is_latest=bool(latest) and used.version_used == latest,
    )


def _summary(
    projects: Sequence[catalog_pb.ProjectCompliance], deliverables: Mapping[str, catalog_pb.Catalog]
) -> catalog_pb.ComplianceSummary:
    compliant = sum(not project.outdated_count for project in projects)
    usages: dict[str, list[catalog_pb.DeliverableUsage]] = defaultdict(list)
    for project in projects:
        for usage in {usage.name: usage for usage in project.deliverables}.values():
            usages[usage.name].append(usage)
    return catalog_pb.ComplianceSummary(
        total_projects=len(projects),
        compliant_projects=compliant,
        non_compliant_projects=len(projects) - compliant,
        overall_compliance_percentage=percentage(compliant, len(projects)),
        deliverable_stats=[
            catalog_pb.DeliverableComplianceStats(
                name=name,
                type=deliverables[name].type,
                projects_using=len(uses),
                projects_outdated=sum(use.is_outdated for use in uses),
                latest_version=deliverables[name].latest_version,
                reference_version=deliverables[name].reference_version,
            )
            for name, uses in sorted(usages.items())
        ],
    )
