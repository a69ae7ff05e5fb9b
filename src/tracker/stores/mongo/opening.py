"""Opening a database, on a server that the store supports."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError, ServerSelectionTimeoutError

from tracker.stores.base import StoreOpenError
from tracker.stores.mongo import schema
from tracker.stores.mongo.database import OPEN_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracker.stores.mongo.database import Database
    from tracker.stores.mongo.writes import Document

OLDEST_MONGODB = (5, 0)
OLDEST_FERRETDB = 2

_UNAUTHORIZED, _AUTHENTICATION_FAILED = 13, 18
_TOPOLOGY = re.compile(r"\[Errno -?\d+\] | \('[^)]*\)| \(configured timeouts[^)]*\)|, Timeout: .*", re.DOTALL)
"""What PyMongo adds to why a server can't be reached: its own view of the deployment."""


async def open_database(
    database: Database, prepare: Callable[[Database], Awaitable[None]] = schema.make
) -> None:
    """Reach the database, find it suitable, read its clock, and prepare its schema.

    Raises:
        StoreOpenError: It can't be served; the message says what to do.
    """
    database.open()
    try:
        await database.reach()
        with pymongo.timeout(OPEN_SECONDS):
            build = await database.admin.command("buildInfo")
            hello = await database.admin.command("hello")
            require_suitable(build, hello)
            database.replicated = is_replicated(build, hello)
            await database.read_clock()
        await prepare(database)
    except PyMongoError as error:
        raise StoreOpenError(_explained(error, database)) from None
    except StoreOpenError as error:
        raise StoreOpenError(f"the database of {database.argument} can't be used: {error}") from None


def _explained(error: PyMongoError, database: Database) -> str:
    """Return why a database can't be opened, and what to do about it."""
    code = error.code if isinstance(error, OperationFailure) else None
    argument = database.argument
    if code == _AUTHENTICATION_FAILED:
        return f"the database of {argument} refuses the user and password in it"
    if code == _UNAUTHORIZED:
        return (
            f"the user in {argument} may not do what is needed: give it the role readWrite"
            f" on the database {database.database_name}"
        )
    details = database.without_credentials(_TOPOLOGY.sub("", str(error)))
    if isinstance(error, ServerSelectionTimeoutError):
        return f"the database of {argument} can't be reached: {details}"
    subject = argument if isinstance(error, ConfigurationError) else f"the database of {argument}"
    return f"{subject} can't be used: {details}"


def require_suitable(build: Document, hello: Document) -> None:
    """Refuse a server that lacks what the store depends on, by its `buildInfo` and `hello`.

    Raises:
        StoreOpenError: The server lacks it; the message says what to do.
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

    FerretDB may give itself the name of a replica set, but stores everything in one PostgreSQL.
    """
    return _ferretdb_version(build) is None and ("setName" in hello or hello.get("msg") == "isdbgrid")


def _ferretdb_version(build: Document) -> str | None:
    """Return the version of FerretDB, or None for another server: version 1 has a field of its own for it."""
    if "ferretdb" in build:
        return str(build["ferretdb"]["version"])
    return str(build["ferretdbVersion"]) if "ferretdbVersion" in build else None


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version such as v2.5.0-1 begins with."""
    parts = version.removeprefix("v").replace("-", ".").split(".")
    return tuple(map(int, takewhile(str.isdecimal, parts)))
