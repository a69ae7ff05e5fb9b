"""Which store a server keeps its records in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.stores.base import StoreOpenError

if TYPE_CHECKING:
    from pathlib import Path

    from tracker.stores.base import Store, StoreObserver


def chosen_store(path: Path, mongo_uri: str | None, observer: StoreObserver) -> Store:
    """Return the store, not yet open: the database of a MongoDB address, or else the file at `path`.

    Raises:
        StoreOpenError: What a MongoDB database needs is not installed.
    """
    if mongo_uri is None:
        from tracker.stores.sqlite import SqliteStore  # noqa: PLC0415 - only the one that is used

        return SqliteStore(path, observer)
    try:
        from tracker.stores.mongo import MongoStore  # noqa: PLC0415 - an extra, which may be missing
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] in ("pymongo", "bson"):
            raise StoreOpenError(
                "MONGO_URI is set, and the driver for MongoDB is not installed: pip install 'tracker[mongo]'"
            ) from None
        raise
    return MongoStore(mongo_uri, observer)
