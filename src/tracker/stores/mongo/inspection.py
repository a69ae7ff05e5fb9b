"""Inspects a MongoDB database, also while servers use it."""

from __future__ import annotations

import time
from datetime import UTC
from typing import TYPE_CHECKING, TypeVar

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from tracker.audit.chain import AUDIT, CHECKPOINT
from tracker.errors import TrackerError
from tracker.pb import access_pb, webhook_pb
from tracker.stores.base import StoreOpenError
from tracker.stores.documents import parse
from tracker.stores.inspection import Inspection
from tracker.stores.mongo import access, audit, webhooks
from tracker.stores.mongo.database import META, Database
from tracker.stores.mongo.opening import open_database
from tracker.stores.mongo.schema import INDEXES
from tracker.stores.mongo.upgrades import SCHEMA, VERSION
from tracker.stores.webhooks import DeliveryState
from tracker.time_text import datetime_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from protobuf import Message

    from tracker.stores.base import StoreObserver
    from tracker.stores.mongo.writes import Document

M = TypeVar("M", bound="Message")

_SECONDS = 20.0


async def inspect(uri: str, observer: StoreObserver) -> Inspection:
    """Return what is found in a database."""
    found, database = Inspection("MongoDB", newest_version=VERSION), Database(uri, observer)
    try:
        await open_database(database, _nothing)
        with pymongo.timeout(_SECONDS):
            await _inspect(database, found)
    except StoreOpenError as error:
        found.problems.append(str(error))
    except TrackerError as error:
        found.problems.append(error.message)
    except PyMongoError as error:
        found.problems.append(database.without_credentials(str(error)))
    finally:
        await database.close()
    return found


async def _nothing(_database: Database) -> None:
    """Leave the schema as it is."""


async def _inspect(database: Database, found: Inspection) -> None:
    build = await database.admin.command("buildInfo")
    found.database = f"MongoDB {build['version']}"
    before = time.time()
    hello = await database.admin.command("hello")
    found.skew = hello["localTime"].replace(tzinfo=UTC).timestamp() - (before + time.time()) / 2
    found.members = hello.get("hosts", ())
    schema = await database.newest(META).find_one(SCHEMA)
    if schema is None:
        raise StoreOpenError("there is no store in it")
    found.version = schema["version"]
    try:
        sizes = await database.newest(META).database.command("dbStats")
        found.sizes = {"documents": int(sizes["storageSize"]), "indexes": int(sizes["indexSize"])}
    except OperationFailure:  # FerretDB, or a user who may not ask
        found.sizes = {}
    for name in sorted(INDEXES):
        found.records[name] = await database.newest(name).estimated_document_count()
    found.access = await _documents(database, access_pb.Access, access.NAME)
    found.webhooks = await _documents(database, webhook_pb.Webhook, webhooks.NAME)
    failed = {"state": int(DeliveryState.FAILED)}
    found.failed_messages = await database.newest(webhooks.MESSAGES).count_documents(failed)
    signed: Document = {"record": AUDIT, "action": CHECKPOINT}
    found.audit = await _last(database, {}), await _last(database, signed)


async def _documents(database: Database, kind: type[M], name: str) -> Sequence[M]:
    rows = await database.newest(name).find({}, {"document": 1}, sort=[("_id", 1)]).to_list()
    return [parse(kind, str(row["_id"]), row["document"]) for row in rows]


async def _last(database: Database, where: Document) -> datetime | None:
    row = await database.newest(audit.NAME).find_one(where, {"at": 1}, sort=[("_id", -1)])
    return None if row is None else datetime_of(row["at"])
