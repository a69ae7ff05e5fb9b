"""The schema: collections, indexes and their version."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import pymongo
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from tracker.stores.base import StoreOpenError
from tracker.stores.contents import not_empty, unfinished
from tracker.stores.mongo import (
    access,
    audit,
    catalog,
    change_log,
    commits,
    courier,
    event_counts,
    event_records,
    idempotency,
    intakes,
    lock_documents,
    records,
    terraform,
    webhooks,
    writes,
)
from tracker.stores.mongo.database import META, OPEN_SECONDS
from tracker.stores.mongo.search.index_scans import BY_END, BY_TERM, BY_TIME, index_of
from tracker.stores.mongo.upgrades import BY_DURATION, SCHEMA, VERSION, fill_in_elapsed, note_fields, upgrade

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tracker.domain.query.fields import Field
    from tracker.stores.mongo.database import Database

HEALTH: Final = {"_id": "health"}
"""The document that health checks change."""

_FILLING: Final = {"_id": "filling"}
"""The document that names the source of an unfinished migration."""

_KINDS = ("type", "priority", "status", "environment", "impact")


def _index(name: str, *fields: str, unique: bool = False, sparse: bool = False) -> IndexModel:
    options = {option: True for option, wanted in (("unique", unique), ("sparse", sparse)) if wanted}
    return IndexModel([(field, 1) for field in fields], name=name, **options)


def _index_of(field: Field) -> IndexModel:
    name, column = index_of(field), field.column
    if field.selective:
        return _index(name, column, unique=column == "slack_id", sparse=True)
    others = [other for other in ("service", "source") if other != column]
    return _index(name, column, "time", "_id", *_KINDS, *others, "month")


INDEXES: Final[Mapping[str, Sequence[IndexModel]]] = {
    # Indexes of lists end with the other fields that filters use, so that counts read no documents.
    event_records.NAME: (
        _index(BY_TIME, "time", "_id", *_KINDS, "service", "month"),
        _index(BY_TERM, "terms", "time", "_id"),
        _index(BY_END, "end_time", "time", "_id", *_KINDS, "service", "source"),
        *(_index_of(field) for field in event_records.COLUMNS if field.indexed),
        _index("events_external_key", "external_key", unique=True, sparse=True),
        _index("events_with_outbox", "outbox.at", sparse=True),
        _index("events_deleted", "tombstone", sparse=True),
        _index(BY_DURATION, "duration", sparse=True),
    ),
    courier.NAME: (_index("changes_by_op", "changes.op", unique=True, sparse=True),),
    lock_documents.NAME: (
        _index("locks_by_id", "holder.id", sparse=True),
        _index("locks_by_event", "holder.event_id", sparse=True),
        _index("locks_by_owner", "holder.owner", sparse=True),
        _index("locks_with_outbox", "outbox.at", sparse=True),
    ),
    lock_documents.ENDED: (
        _index("ended_locks_by_time", "at"),
        _index("ended_locks_by_token", "token_hash", sparse=True),
    ),
    records.FREEZES.name: (
        _index("freezes_by_start", "starts_at", "_id"),
        _index("freezes_with_outbox", "outbox.at", sparse=True),
        _index("freezes_deleted", "tombstone", sparse=True),
    ),
    **{
        each.name: (
            _index(f"{each.name}_by_name", "name", "_id"),
            _index(f"{each.name}_with_outbox", "outbox.at", sparse=True),
            _index(f"{each.name}_deleted", "tombstone", sparse=True),
        )
        for each in (records.POLICIES, records.HOLDS)
    },
    records.LINKS.name: (
        _index("links_by_place", "group", "name", "_id"),
        _index("links_with_outbox", "outbox.at", sparse=True),
        _index("links_deleted", "tombstone", sparse=True),
    ),
    catalog.NAME: (
        _index("catalog_with_outbox", "outbox.at", sparse=True),
        _index("catalog_deleted", "tombstone", sparse=True),
    ),
    access.NAME: (
        _index("access_by_change", "changed_at"),
        _index("access_by_name", "name", unique=True, sparse=True),
        _index("access_with_outbox", "outbox.at", sparse=True),
    ),
    audit.NAME: (
        _index("audit_by_id", "record_id"),
        IndexModel(
            [("record", 1), ("_id", 1)],
            name="audit_of_settings",
            partialFilterExpression={"record": "settings"},
        ),
    ),
    terraform.NAME: (
        _index("terraform_states_with_outbox", "outbox.at", sparse=True),
        _index("terraform_states_deleted", "tombstone", sparse=True),
    ),
    terraform.PARTS: (_index("terraform_parts_of_state", "state", "at"),),
    webhooks.NAME: (
        _index("webhooks_with_outbox", "outbox.at", sparse=True),
        _index("webhooks_deleted", "tombstone", sparse=True),
    ),
    webhooks.MESSAGES: (
        _index("webhook_deliveries_due", "state", "webhook", "next_at"),
        _index("webhook_deliveries_by_time", "webhook", "created_at", "_id"),
        _index("webhook_deliveries_of_thread", "webhook", "thread", "created_at", "_id"),
        _index("webhook_deliveries_old", "created_at"),
    ),
    intakes.NAME: (),
    intakes.MESSAGES: (
        _index("intake_messages_by_sender", "sender", "received_at", "_id", "body_bytes"),
        _index("intake_messages_by_time", "received_at", "_id"),
    ),
    commits.NAME: (
        _index("commits_by_sha", "sha", "repository"),
        _index("commits_by_time", "committed_at"),
        _index("commits_by_head", "head"),
    ),
    idempotency.NAME: (
        _index("idempotency_keys_by_time", "at"),
        _index("idempotency_keys_with_outbox", "outbox.at", sparse=True),
    ),
}


async def make(database: Database) -> None:
    """Make the missing parts of the schema, and upgrade documents; several servers may do so at once.

    Raises:
        StoreOpenError: A newer Tracker made the schema, or a migration is not finished.
    """
    with pymongo.timeout(OPEN_SECONDS):
        filling = await database.newest(META).find_one(_FILLING)
        if filling is not None:
            raise unfinished(filling["source"])
        await _make(database)
    await fill_in_elapsed(database)
    with pymongo.timeout(OPEN_SECONDS):
        await upgrade(database)
        await access.fill_in_names(database.newest(access.NAME))


async def require(database: Database) -> None:
    """Make the missing parts of the schema in a database that has been used before.

    Raises:
        StoreOpenError: It has not, or a newer Tracker made the schema, or a migration is not finished.
    """
    with pymongo.timeout(OPEN_SECONDS):
        if await database.newest(META).find_one(SCHEMA) is None:
            raise StoreOpenError("there is no store in it")
    await make(database)


async def begin_filling(database: Database, source: str) -> None:
    """Make the schema in an empty database, which is not served until it is filled.

    Raises:
        StoreOpenError: It has records, or is being filled from another store.
    """
    meta = database.newest(META)
    with pymongo.timeout(OPEN_SECONDS):
        await _make(database)
        filling = await meta.find_one(_FILLING)
        if filling is not None:
            if filling["source"] != source:
                raise unfinished(filling["source"])
            return
        for name in INDEXES:
            if await database.newest(name).find_one({}, {"_id": 1}) is not None:
                raise not_empty(name)
        await note_fields(meta)
        await writes.insert(meta, _FILLING | {"source": source})


async def end_filling(database: Database) -> None:
    """Allow a database that was filled to be served."""
    meta = database.newest(META)
    await writes.delete(meta, dict(event_counts.ID))
    await writes.delete(meta, dict(_FILLING))


async def _make(database: Database) -> None:
    meta = database.newest(META)
    stored = await meta.find_one(SCHEMA)
    if stored is not None and stored["version"] > VERSION:
        raise StoreOpenError(
            f"its schema has version {stored['version']}, this Tracker knows versions up to {VERSION};"
            " start the newer Tracker that made it"
        )
    for name, indexes in INDEXES.items():
        if indexes:
            await database.newest(name).create_indexes([*indexes])
    log = change_log.LOG | {"name": secrets.token_hex(8)}
    for document in (HEALTH | {"checked_at": 0}, log, SCHEMA | {"version": VERSION}):
        try:
            await meta.insert_one(dict(document))
        except DuplicateKeyError:
            continue
