"""Checks of the machine of a server, and of its store."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from tracker.diagnosis.configuration import check_settings, issuers_of, names_of
from tracker.diagnosis.findings import days, failed, ok, size, skipped, warning
from tracker.diagnosis.network import (
    ask,
    check_clock,
    check_issuers,
    check_ports,
    check_ready,
    host_of,
    is_running,
)
from tracker.diagnosis.records import check_audit, check_tokens, check_webhooks
from tracker.diagnosis.tls import check_tls
from tracker.number_text import number_of
from tracker.stores.base import Unobserved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tracker.config import Configuration
    from tracker.config.settings import Settings
    from tracker.diagnosis.findings import Finding
    from tracker.stores.inspection import Inspection

CHECK_SECONDS = 5.0
"""How long a file is searched for damage, unless all of it is to be searched."""

_MIB, _GIB = 2**20, 2**30
_LEAST_FREE, _LITTLE_FREE = 100 * _MIB, _GIB
_LONG_LOG = 64 * _MIB
"""A write-ahead log is truncated to 32 MiB; one of twice that keeps growing."""
_OTHERS = 0o077
_RESTORE = "put the last backup in its place with `tracker restore FILE`"


class Backups(NamedTuple):
    """Where backups are, a file or a folder of them, and how old the newest one may be."""

    place: Path | None = None
    oldest: timedelta = timedelta(hours=26)


def check_machine(
    configuration: Configuration, environ: Mapping[str, str], backups: Backups, *, whole: bool
) -> Iterator[Finding]:
    """Check settings, ports, TLS, the store with its records, backups, and issuers, one after the other.

    With `whole`, a file is searched for damage to its end, which takes some seconds for each GiB.
    """
    settings = configuration.settings
    yield from check_settings(configuration, environ)
    yield from check_ports(settings)
    running = is_running(settings)
    if running:
        https = settings.tls_cert is not None
        yield check_ready(ask(host_of(settings), settings.metrics_port, "/readyz", https=https))
    yield from check_tls(settings, names_of(settings))
    if settings.mongo_uri is None and not settings.database_path.is_file():
        advice = "the first start creates it; else correct DATABASE_PATH"
        yield skipped("store", f"there is no {settings.database_path}", advice)
        yield from check_disk(settings.database_path, 0)
    else:
        found = inspect(settings, check_seconds=None if whole else CHECK_SECONDS)
        yield from check_store(settings, found, running=running)
    yield from check_backups(settings, backups)
    yield from check_issuers(issuers_of(settings))


def inspect(settings: Settings, *, check_seconds: float | None, with_plans: bool = False) -> Inspection:
    """Return what is found in the store of the settings."""
    if settings.mongo_uri is None:
        from tracker.stores.sqlite import inspection as files  # noqa: PLC0415 - only the one that is used

        return files.inspect(settings.database_path, check_seconds=check_seconds, with_plans=with_plans)
    from tracker.stores.mongo import inspection as databases  # noqa: PLC0415 - an extra, which may be missing

    return asyncio.run(databases.inspect(settings.mongo_uri, Unobserved()))


def check_store(settings: Settings, found: Inspection, *, running: bool) -> Iterator[Finding]:
    """Check what an inspection has found."""
    if found.problems:
        for problem in found.problems:
            advice = _RESTORE if settings.mongo_uri is None else "see `When the server does not start`"
            yield failed("store", f"{found.database}: {problem}", advice)
    else:
        events = number_of(found.records.get("events", 0), "event")
        whole = "" if found.checked_whole else f"; no damage in the first {CHECK_SECONDS:g} s of a search"
        yield ok("store", f"{found.database}, {events}{whole}")
    if found.version < found.newest_version and found.version:
        text = f"version {found.version}, this Tracker makes version {found.newest_version} of it"
        yield warning("schema", text, "make a backup, then start the server, which upgrades it")
    elif found.version:
        yield ok("schema", f"version {found.version}")
    if settings.mongo_uri is None:
        yield from _file(settings.database_path, found)
        yield from check_disk(settings.database_path, found.sizes.get("file", 0))
    elif not found.problems:
        yield check_clock(found.skew, "the database")
        yield _members(len(found.members))
    if found.version == found.newest_version and not found.problems:
        yield check_tokens(each.api_key for each in found.access if each.api_key is not None)
        yield check_webhooks(found.webhooks, found.failed_messages)
        yield check_audit(*found.audit, running=running)


def _members(number: int) -> Finding:
    if number == 1:
        advice = "add members: with one, its disk is the only copy"
        return warning("replication", "a replica set of one member", advice)
    return ok("replication", f"{number} members" if number else "a single server, or a sharded cluster")


def check_disk(file: Path, needed: int) -> Iterator[Finding]:
    """Check that the disk of a file has room, also for a copy of so many bytes."""
    folder = next(each for each in file.resolve().parents if each.is_dir())
    free = shutil.disk_usage(folder).free
    text, advice = f"{size(free)} free at {folder}", "free some space, or move the store to a larger disk"
    if free < _LEAST_FREE:
        yield failed("disk", text, advice)
    elif free < max(_LITTLE_FREE, needed):
        yield warning("disk", text, advice)
    else:
        yield ok("disk", text)
    if not os.access(folder, os.W_OK):
        yield failed("disk", f"{folder} can't be written by this user", "run this as the user of the server")


def check_backups(settings: Settings, backups: Backups) -> Iterator[Finding]:
    """Check the age of the newest backup, and that it is whole."""
    if settings.mongo_uri is not None:
        yield skipped(
            "backup",
            "those of MongoDB are not checked",
            "make sure that `mongodump` runs, or that snapshots are taken",
        )
        return
    if backups.place is None:
        advice = "name the folder or the file of your backups with --backups or TRACKER_BACKUPS"
        yield skipped("backup", "it is not known where backups are", advice)
        return
    place = backups.place
    files = [place] if place.is_file() else [each for each in place.glob("*") if _is_database(each)]
    if not files:
        yield failed("backup", f"there is none in {place}", f"tracker backup {place / 'tracker.db'}")
        return
    newest = max(files, key=lambda file: file.stat().st_mtime)
    age = timedelta(seconds=max(0.0, time.time() - newest.stat().st_mtime))
    from tracker.stores.sqlite.inspection import inspect as inspect_file  # noqa: PLC0415 - only where there are files

    found = inspect_file(newest)
    if found.problems:
        yield failed("backup", f"{newest} can't be used: {found.problems[0]}", "make another one")
    elif age > backups.oldest:
        text = f"the newest one, {newest}, is {days(age)} old"
        yield warning("backup", text, "see why no newer one was made; `tracker backup FILE` makes one")
    else:
        yield ok(
            "backup", f"{newest.name}, {days(age)} old, {number_of(found.records.get('events', 0), 'event')}"
        )


def _file(file: Path, found: Inspection) -> Iterator[Finding]:
    log, pages = found.sizes.get("log", 0), found.sizes.get("free pages", 0)
    text = f"{size(found.sizes.get('file', 0))}, of which {size(pages)} are free; log of {size(log)}"
    if log > _LONG_LOG:
        yield warning("size", text, "look for a program that reads the file for hours: it keeps the log")
    else:
        yield ok("size", text)
    others = [each for each in (file, file.with_name(f"{file.name}-wal")) if _read_by_others(each)]
    if others:
        names = " ".join(map(str, others))
        yield warning("permissions", f"others can read {names}", f"chmod 600 {names}")


def _read_by_others(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & _OTHERS)
    except OSError:
        return False


def _is_database(file: Path) -> bool:
    """Return whether a file begins as those of SQLite do."""
    try:
        with file.open("rb") as opened:
            return opened.read(15) == b"SQLite format 3"
    except OSError:
        return False
