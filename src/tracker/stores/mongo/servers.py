"""Which servers that speak the protocol a store can be kept on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.base import StoreOpenError

if TYPE_CHECKING:
    from tracker.stores.mongo.writes import Document

OLDEST_MONGODB = (5, 0)
OLDEST_FERRETDB = 2


def require_suitable(build: Document, hello: Document) -> None:
    """Refuse a server that can't do what the store depends on, from its `buildInfo` and `hello`.

    Raises:
        StoreOpenError: It can't; the message says why, and what to do.
    """
    ferret = _ferretdb_version(build)
    if ferret is not None:
        if _numbers(ferret)[:1] < (OLDEST_FERRETDB,):
            raise StoreOpenError(
                f"it is FerretDB {ferret.removeprefix('v')}, whose updates are not atomic: two callers could"
                f" get one lock; use FerretDB {OLDEST_FERRETDB} or later, or MongoDB"
            )
    elif _numbers(str(build["version"]))[:2] < OLDEST_MONGODB:
        oldest = ".".join(map(str, OLDEST_MONGODB))
        raise StoreOpenError(f"it is MongoDB {build['version']}; use {oldest} or later")
    if not hello.get("isWritablePrimary", False):
        raise StoreOpenError(
            "the server takes no changes; leave directConnection out of its address,"
            " so that the primary is found"
        )


def is_replicated(build: Document, hello: Document) -> bool:
    """Return whether another server may have become the primary without this one's knowledge.

    FerretDB may give itself the name of a replica set, but has only its own PostgreSQL behind it.
    """
    return _ferretdb_version(build) is None and ("setName" in hello or hello.get("msg") == "isdbgrid")


def _ferretdb_version(build: Document) -> str | None:
    """Return the version of FerretDB, or None for another server: version 1 told it in a field of its own."""
    if "ferretdb" in build:
        return str(build["ferretdb"]["version"])
    return str(build["ferretdbVersion"]) if "ferretdbVersion" in build else None


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version such as v2.5.0-1 begins with."""
    numbers = []
    for part in version.removeprefix("v").replace("-", ".").split("."):
        if not part.isdecimal():
            break
        numbers.append(int(part))
    return tuple(numbers)
