"""The way from an address to a database that can be served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymongo
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError, ServerSelectionTimeoutError

from tracker.stores.base import StoreOpenError
from tracker.stores.mongo import schema, servers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tracker.stores.mongo.clock import DatabaseClock
    from tracker.stores.mongo.connections import Connections

OPEN_SECONDS = 60.0
"""How long opening may take, once there is a primary."""

_UNAUTHORIZED, _AUTHENTICATION_FAILED = 13, 18


async def open_database(
    connections: Connections,
    clock: DatabaseClock,
    prepare: Callable[[Connections, int], Awaitable[None]] = schema.make,
) -> None:
    """Reach the database, find it suitable, read its clock, and prepare its schema.

    Raises:
        StoreOpenError: It can't be served; the message says what to do.
    """
    connections.open()
    try:
        await connections.reach()
        with pymongo.timeout(OPEN_SECONDS):
            build = await connections.admin.command("buildInfo")
            hello = await connections.admin.command("hello")
            servers.require_suitable(build, hello)
            connections.replicated = servers.is_replicated(build, hello)
            await clock.measure()
            await prepare(connections, clock.now())
    except PyMongoError as error:
        raise StoreOpenError(_explained(error, connections)) from None
    except StoreOpenError as error:
        raise StoreOpenError(f"the database of {connections.argument} can't be used: {error}") from None


def _explained(error: PyMongoError, connections: Connections) -> str:
    """Return why a database can't be opened, and what to do about it."""
    code = error.code if isinstance(error, OperationFailure) else None
    argument = connections.argument
    if code == _AUTHENTICATION_FAILED:
        return f"the database of {argument} refuses the user and password in it"
    if code == _UNAUTHORIZED:
        return (
            f"the user in {argument} may not do what is needed: give it the role readWrite"
            f" on the database {connections.database_name}"
        )
    told = connections.without_credentials(str(error))
    if isinstance(error, ServerSelectionTimeoutError):
        return f"the database of {argument} can't be reached: {told}"
    if isinstance(error, ConfigurationError):
        return f"{argument} can't be used: {told}"
    return f"the database of {argument} can't be used: {told}"
