"""The connections to a MongoDB database, and their options."""

from __future__ import annotations

import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pymongo
from pymongo import AsyncMongoClient
from pymongo.errors import InvalidName, InvalidURI, PyMongoError
from pymongo.read_concern import ReadConcern

from tracker.stores.base import StoreOpenError
from tracker.stores.mongo.failures import store_error, unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from pymongo.asynchronous.database import AsyncDatabase

    from tracker.stores.mongo.writes import Collection, Document

QUERY_SECONDS = 20.0
"""How long a query may take, including the wait for a server."""

_DATABASE = "tracker"
"""The database of an address that names none."""

_FIXED: Mapping[str, Any] = {
    "appname": "tracker",
    "w": "majority",
    "journal": True,
    "readPreference": "primary",
    "readConcernLevel": "local",
    "retryWrites": False,
    "retryReads": True,
}
"""Options that an address can't change: the store depends on them."""

_USUAL: Mapping[str, Any] = {
    "serverSelectionTimeoutMS": 3_000,
    "connectTimeoutMS": 3_000,
    "waitQueueTimeoutMS": 10_000,
    "heartbeatFrequencyMS": 2_000,
    "maxPoolSize": 32,
}
"""Options that an address may change."""


class Connections:
    """The connections to the database of an address.

    Changes read the newest state of the primary (read concern `local`), which they replace. Queries read what
    a majority has confirmed (`majority`), which is never rolled back. The holder of a lock is read with
    `linearizable`: a former primary that does not know of its successor then fails. A standalone server has
    no such read, and needs none.

    `argument` is the name of the setting or option with the address, for messages.
    """

    def __init__(self, uri: str, argument: str = "MONGO_URI") -> None:
        self.argument = argument
        self._uri = uri
        self._client: AsyncMongoClient[Document]
        self._open = False
        self.replicated = False

    def open(self) -> None:
        """Make the client, which connects when it is first used.

        Raises:
            StoreOpenError: The address is invalid.
        """
        try:
            given = {name.lower() for name, _ in parse_qsl(urlsplit(self._uri).query)}
            usual = {name: value for name, value in _USUAL.items() if name.lower() not in given}
            with warnings.catch_warnings(
                action="error"
            ):  # what it would pass over, an option it doesn't know
                self._client = AsyncMongoClient(self._uri, **usual, **_FIXED)
            self._database = self._client.get_default_database(_DATABASE)
            self._collections: dict[tuple[str, str], Collection] = {}
        except (InvalidURI, InvalidName, ValueError):  # its text may quote a part of the password
            raise StoreOpenError(
                f"{self.argument} is no address of a MongoDB database: write it as"
                " mongodb://user:password@host:27017/tracker, and : / ? # [ ] @ % in user and password"
                " each as a percent sign and two hexadecimal digits"
            ) from None
        except (PyMongoError, Warning) as error:
            details = self.without_credentials(str(error))
            raise StoreOpenError(f"{self.argument} can't be used: {details}") from None
        self._open = True

    async def close(self) -> None:
        """Close all connections."""
        if self._open:
            self._open = False
            await self._client.close()

    @property
    def admin(self) -> AsyncDatabase[Document]:
        """The database for administrative commands."""
        return self._client.get_database("admin")

    @property
    def database_name(self) -> str:
        """The name of the database."""
        return unquote(urlsplit(self._uri).path.strip("/")) or _DATABASE

    def newest(self, name: str) -> Collection:
        """Return a collection with the newest state of the primary, for changes."""
        return self._collection(name)

    def confirmed(self, name: str) -> Collection:
        """Return a collection with what a majority has confirmed."""
        return self._collection(name, "majority")

    def current(self, name: str) -> Collection:
        """Return a collection for linearizable reads."""
        return self._collection(name, "linearizable" if self.replicated else "majority")

    def _collection(self, name: str, level: str = "local") -> Collection:
        made = self._collections.get((name, level))
        if made is None:
            made = self._database.get_collection(name, read_concern=ReadConcern(level))
            self._collections[name, level] = made
        return made

    async def reach(self) -> None:
        """Wait for a primary, if none is known, as long as the address allows.

        A command with a time of its own would spend all of it on that.
        """
        if not self._client.topology_description.has_writable_server():
            with pymongo.timeout(self._client.options.server_selection_timeout):
                await self.admin.command("ping")

    @asynccontextmanager
    async def asking(self, name: str) -> AsyncIterator[Collection]:
        """Give a collection as a majority has it; bound the time of queries, and translate their failures."""
        if not self._open:
            raise unavailable("the database is closed")
        try:
            await self.reach()
            with pymongo.timeout(QUERY_SECONDS):
                yield self.confirmed(name)
        except PyMongoError as failure:
            raise store_error(failure) from failure

    def without_credentials(self, text: str) -> str:
        """Return an error text of the driver, unless it quotes user or password."""
        credentials = urlsplit(self._uri).netloc.rpartition("@")[0]
        secret = any(part and part in text for part in (credentials, *credentials.split(":", 1)))
        return "one of its options is wrong" if secret else text
