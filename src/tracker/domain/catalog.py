"""How a catalog entry is created and changed."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from tracker.domain.times import timestamp
from tracker.pb import catalog_pb

if TYPE_CHECKING:
    from protobuf import Message

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


def _copy_shared(source: Message, target: catalog_pb.Catalog) -> None:
    """Copy every field that both messages have, by name."""
    names = {field.local_name for field in catalog_pb.Catalog.desc().fields}
    for field in type(source).desc().fields:
        if field.local_name in names:
            setattr(target, field.local_name, getattr(source, field.local_name))
