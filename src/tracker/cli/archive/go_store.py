"""The MongoDB database of the Go implementation, which is read as it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tracker.cli.archive.product import Foreign
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.printing import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pymongo.database import Database

    from tracker.client.connection import Connection
    from tracker.pb import event_pb

_AT_ONCE = 1_000
_WAIT_MS = 10_000
_CATALOGS = ("catalogs", "catalog")


@contextmanager
def go_database(address: str) -> Iterator[Database[dict[str, Any]]]:
    """Open the database that an address names."""
    try:
        from pymongo import MongoClient
        from pymongo.errors import PyMongoError
    except ModuleNotFoundError:
        raise CommandError("the driver for MongoDB is not installed: install pymongo", USAGE) from None
    try:
        with MongoClient[dict[str, Any]](address, serverSelectionTimeoutMS=_WAIT_MS, tz_aware=True) as client:
            name = client.get_default_database("tracker").name
            yield client[name]
    except PyMongoError as error:
        what = str(error).partition(" (configured timeouts")[0]
        raise CommandError(f"the database can't be read: {what}; the same command continues") from None


@contextmanager
def go_events(address: str) -> Iterator[Foreign]:
    """Open the events of a database, in the order in which they were stored."""
    from tracker.intakes.archives.go_tracker import event_of, left_out
    from tracker.pb import event_pb

    with go_database(address) as database:
        total = database["events"].estimated_document_count()
        rows = database["events"].find(sort=[("_id", 1)], batch_size=_AT_ONCE)
        slack_ids: set[str] = set()

        def event(document: dict[str, Any]) -> event_pb.Event:
            """Return an event, of several with one Slack id the first with it."""
            found = event_of(document)
            if found.metadata is not None and found.metadata.slack_id:
                if found.metadata.slack_id in slack_ids:
                    found.metadata.clear_field("slack_id")
                else:
                    slack_ids.add(found.metadata.slack_id)
            return found

        def fields(document: dict[str, Any]) -> Mapping[str, tuple[str, object]]:
            known = {
                f"{part}.{name}": ("the same", value)
                for part in ("attributes", "links", "metadata")
                for name, value in (document.get(part) or {}).items()
            }
            others = dict.fromkeys(left_out(event_pb.Event, document), ("", "there"))
            return {"title": ("the same", document.get("title")), **known, **others}

        yield Foreign(iter(enumerate(rows, 1)), total, None, lambda: 0, event, fields)


def import_catalog(address: str, connection: Connection | None) -> None:
    """Store the catalog entries that are missing; without a connection, say how many there are."""
    from tracker.client.rpcs import CREATE_UPDATE_CATALOG, LIST_CATALOGS
    from tracker.errors import TrackerError
    from tracker.intakes.archives.go_tracker import entry_of

    with go_database(address) as database:
        names = {*database.list_collection_names()}
        documents = [each for name in _CATALOGS if name in names for each in database[name].find()]
        known = (
            set()
            if connection is None
            else {each.name for each in connection.whole(LIST_CATALOGS, LIST_CATALOGS.request()).catalogs}
        )
        stored = refused = 0
        for document in documents:
            try:
                entry = entry_of(document)
            except TrackerError as error:
                refused += 1
                say(f"catalog entry {document.get('_id')}: {error.message}")
                continue
            if entry.name in known or connection is None:
                continue
            wanted = {field.name for field in CREATE_UPDATE_CATALOG.request.desc().fields}
            given = {
                field.name: getattr(entry, field.local_name)
                for field in entry.desc().fields
                if field.name in wanted and field in entry
            }
            connection.call(CREATE_UPDATE_CATALOG, CREATE_UPDATE_CATALOG.request(**given))
            stored += 1
        if documents:
            there = len(documents) - stored - refused
            said = f"{stored:,} stored, {there:,} there already" if connection else f"{there:,} to store"
            say(f"catalog entries: {said}")
        left = sorted(names & {"links", "locks", "freeze_windows"})
        if left:
            say(f"left out: {', '.join(left)}")
