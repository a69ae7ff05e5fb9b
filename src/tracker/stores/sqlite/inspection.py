"""Inspects a database file, also while a server uses it."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import apsw

from tracker.audit.chain import AUDIT, CHECKPOINT
from tracker.domain.query.text import parse as parse_query
from tracker.domain.query.tree import EventFilter
from tracker.errors import TrackerError
from tracker.pb import access_pb, webhook_pb
from tracker.stores.base import StoreOpenError
from tracker.stores.documents import parse
from tracker.stores.events import Explanation
from tracker.stores.inspection import QUERIES, Inspection
from tracker.stores.sqlite import clock, migrations
from tracker.stores.sqlite.opening import connect
from tracker.stores.sqlite.search import execution
from tracker.stores.sqlite.search.plans import plan
from tracker.stores.sqlite.search.queries import add_functions
from tracker.stores.sqlite.search.slot_counts import SlotCounts
from tracker.stores.webhooks import DeliveryState
from tracker.time_text import Clock, datetime_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from protobuf import Message

M = TypeVar("M", bound="Message")

_BUSY_MS = 2_000
_STEPS = 10_000
_PLAN_SECONDS = 2.0
_SOUND = "ok"
_LAST_ENTRY = "SELECT at FROM audit ORDER BY number DESC LIMIT 1"
_LAST_CHECKPOINT = "SELECT max(at) FROM audit WHERE record = ? AND action = ?"


def inspect(path: Path, *, check_seconds: float | None = None, with_plans: bool = False) -> Inspection:
    """Return what is found in a file, which is searched for damage for some seconds, or to its end."""
    found = Inspection(f"SQLite {apsw.sqlite_lib_version()}", newest_version=max(migrations.steps()))
    try:
        with closing(connect(path)) as db:
            # Otherwise closing the last connection would checkpoint: the file may belong to a server.
            db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            db.set_busy_timeout(_BUSY_MS)
            db.pragma("query_only", value=True)
            _inspect(db, path, found, check_seconds, with_plans=with_plans)
    except StoreOpenError as error:
        found.problems.append(str(error))
    except TrackerError as error:
        found.problems.append(error.message)
    except apsw.NotADBError:
        found.problems.append("it is not a database file")
    except apsw.Error as error:
        found.problems.append(str(error))
    return found


def _inspect(
    db: apsw.Connection, path: Path, found: Inspection, check_seconds: float | None, *, with_plans: bool
) -> None:
    migrations.require_ours(db)
    found.version = int(db.pragma("user_version"))
    if db.pragma("application_id") != migrations.APPLICATION_ID:
        raise StoreOpenError("it is empty")
    page_size = int(db.pragma("page_size"))
    found.sizes = {
        "file": path.stat().st_size,
        "log": _size(Path(f"{path}-wal")),
        "free pages": int(db.pragma("freelist_count")) * page_size,
    }
    _check(db, found, check_seconds)
    tables = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    for name in sorted(tables & set(migrations.RECORDS)):
        found.records[name] = int(db.execute(f"SELECT count(*) FROM {name}").get)
    if found.version != found.newest_version:
        return  # the rest is asked as this version stores it
    found.access = _documents(db, access_pb.Access, "access")
    found.webhooks = _documents(db, webhook_pb.Webhook, "webhooks")
    count = "SELECT count(*) FROM webhook_deliveries WHERE state = ?"
    found.failed_messages = int(db.execute(count, (int(DeliveryState.FAILED),)).get)
    moments = db.execute(_LAST_ENTRY).get, db.execute(_LAST_CHECKPOINT, (AUDIT, CHECKPOINT)).get
    last, signed = (datetime_of(each) if isinstance(each, int) else None for each in moments)
    found.audit = last, signed
    if with_plans:
        found.plans = _plans(db)


def _check(db: apsw.Connection, found: Inspection, seconds: float | None) -> None:
    """Search the file for damage, for so long or to its end."""
    end = None if seconds is None else time.monotonic() + seconds
    if end is not None:
        db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        problem = str(db.pragma("quick_check" if end else "integrity_check", 1))
    except apsw.InterruptError:
        problem, found.checked_whole = _SOUND, False
    finally:
        db.set_progress_handler(None)
    if problem != _SOUND:
        found.problems.append(f"it is damaged ({problem})")


def _size(file: Path) -> int:
    with suppress(OSError):
        return file.stat().st_size
    return 0


def _documents(db: apsw.Connection, kind: type[M], table: str) -> Sequence[M]:
    rows = db.execute(f"SELECT id, CAST(document AS BLOB) FROM {table} ORDER BY id")
    return [parse(kind, str(name), document) for name, document in rows if isinstance(document, bytes)]


def _plans(db: apsw.Connection) -> Mapping[str, Sequence[str]]:
    """Return the steps of queries, each of which is run for some time at most."""
    add_functions(db)
    asked, plans = Clock(clock.now(), ZoneInfo("UTC")), {}
    for query in QUERIES:
        explanation, end = Explanation(), time.monotonic() + _PLAN_SECONDS
        db.set_progress_handler(lambda end=end: time.monotonic() > end, _STEPS)  # type: ignore[misc]  # a default
        try:
            planned = plan(db, EventFilter(parse_query(query, asked)), explanation)
            execution.count(db, planned, SlotCounts())
        except apsw.InterruptError:
            explanation.steps.append(f"ended after {_PLAN_SECONDS:g} s")
        finally:
            db.set_progress_handler(None)
        plans[query] = explanation.steps
    return plans
