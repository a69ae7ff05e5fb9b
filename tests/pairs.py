"""Which of the wires, and of the stores, a test runs with: each at least once, but not each with each.

A wire knows no store (a contract in `pyproject.toml`), so what holds over both wires and on both stores holds
for every pair of them. Half of the tests run with gRPC on MongoDB and REST on SQLite, the other half with the
other two pairs, as it falls. Likewise a test of stores runs on a MongoDB server alone or on a replica set.
`make soak` has the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from tests.soak import SOAKING, soaks

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest


def chosen(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests to run, of all there could be; `make soak` runs those that are left out here."""
    if not SOAKING:
        return [item for item in items if _is_chosen(item)]
    for item in items:
        if not _is_chosen(item):
            item.add_marker(soaks)
    return items


def _is_chosen(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    given: Mapping[str, object] = callspec.params if callspec is not None else {}
    match given:
        case {"client": wire, "mongo_uri": store}:
            return ((wire == "grpc") ^ (store == "mongo")) == _side(item, "client", "mongo_uri")
        case {"store": "mongo" | "mongo-replica-set" as store}:
            return (store == "mongo") == _side(item, "store")
    return True


def _side(item: pytest.Item, *of: str) -> bool:
    """Return on which side of a choice a test is, by its name and its other parameters."""
    indices: Mapping[str, int] = item.callspec.indices  # type: ignore[attr-defined]  # of a test with parameters
    others = sorted((name, index) for name, index in indices.items() if name not in of)
    return crc32(f"{item.nodeid.partition('[')[0]} {others}".encode()) % 2 == 1
