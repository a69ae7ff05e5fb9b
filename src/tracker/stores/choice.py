"""Chooses the store for an address: a MongoDB database, or a file."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tracker.stores.base import StoreOpenError
from tracker.stores.changes import CHANGES_KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tracker.stores.base import Store, StoreObserver
    from tracker.stores.contents import StoreContents
    from tracker.supervision import Supervisor


def chosen_store(  # noqa: PLR0913 - its dependencies
    path: Path,
    mongo_uri: str | None,
    observer: StoreObserver,
    tasks: Supervisor | None = None,
    *,
    changes_kept: int = CHANGES_KEPT,
    locks_per_owner: int | None = None,
) -> Store:
    """Return the store, not yet open: the database at a MongoDB address, or else the file at `path`.

    Raises:
        StoreOpenError: The driver for MongoDB is not installed.
    """
    if mongo_uri is None:
        from tracker.stores.sqlite import SqliteStore  # noqa: PLC0415 - only the one that is used

        return SqliteStore(path, observer, tasks, changes_kept=changes_kept, locks_per_owner=locks_per_owner)
    with _needing_driver("MONGO_URI is set"):
        from tracker.stores.mongo import MongoStore  # noqa: PLC0415 - an extra, which may be missing

        return MongoStore(
            mongo_uri, observer, tasks, changes_kept=changes_kept, locks_per_owner=locks_per_owner
        )


def chosen_contents(place: str, argument: str, observer: StoreObserver) -> StoreContents:
    """Return the contents of the store at a place, not yet open; messages name the argument with the place.

    Raises:
        StoreOpenError: The driver for MongoDB is not installed.
    """
    if not place.startswith(("mongodb://", "mongodb+srv://")):
        from tracker.stores.sqlite.contents import SqliteContents  # noqa: PLC0415 - the same

        return SqliteContents(place)
    with _needing_driver(f"{argument} is a MongoDB database"):
        from tracker.stores.mongo.contents import MongoContents  # noqa: PLC0415 - the same

        return MongoContents(place, argument, observer)


@contextmanager
def _needing_driver(why: str) -> Iterator[None]:
    """Explain what to install if the import inside fails because MongoDB's driver is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] in ("pymongo", "bson"):
            install = f"{sys.executable} -m pip install 'pymongo>=4.16'"
            raise StoreOpenError(f"{why}, and the driver for MongoDB is not installed: {install}") from None
        raise
