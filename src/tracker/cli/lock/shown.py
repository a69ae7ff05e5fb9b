"""Locks printed for people, and as the rows of a table."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from tracker.cli.printing import local_text, named, print_record, shown_time
from tracker.cli.tables import Column, Table
from tracker.time_text import rounded_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from protobuf.wkt import Timestamp

    from tracker.cli.printing import Cell
    from tracker.pb import lock_pb

_COLUMNS = (
    Column("SERVICE", least=10),
    Column("ENVIRONMENT", rank=1, least=8),
    Column("RESOURCE", rank=6, least=8),
    Column("WHO", rank=2, least=8),
    Column("SINCE", rank=4, least=5),
    Column("UNTIL", rank=3, least=5),
    Column("REASON", rank=5, least=8),
    Column("ID", id=True),
)


def print_lock(lock: lock_pb.Lock, token: str = "") -> None:
    """Print a lock, and a new token if there is one, one line a field, without empty fields."""
    until = _until(lock)
    fields = {
        "id": lock.id,
        "service": lock.service,
        "environment": lock.environment,
        "resource": lock.resource or "deployment",
        "who": named(lock.who, lock.claimed_who),
        "reason": lock.reason,
        "event": lock.event_id,
        "since": shown_time(lock.created_at),
        "until": until if isinstance(until, str) else shown_time(until),
        "renewed": f"{lock.renewals} times" if lock.renewals else "",
        "lock delay": rounded_text(lock.lock_delay.to_timedelta()) if lock.lock_delay is not None else "",
        "fencing token": str(lock.fencing_token or ""),
        "labels": ", ".join(f"{name}={value}" for name, value in sorted(lock.labels.items())),
        "token": token,
    }
    print_record(fields)


def lock_row(lock: lock_pb.Lock) -> tuple[Cell, ...]:
    """Return the row of a lock, a value for each of `_COLUMNS`."""
    return (
        lock.service,
        lock.environment,
        lock.resource or "deployment",
        named(lock.who, lock.claimed_who),
        lock.created_at,
        _until(lock),
        lock.reason,
        lock.id,
    )


LOCKS = Table(_COLUMNS, lock_row)


def holder(metadata: Mapping[str, str]) -> str:
    """Return the holder of a lock, from the metadata of an error."""
    text = f"held by {named(metadata.get('who', ''), metadata.get('claimed_who', '')) or 'nobody named'}"
    if reason := metadata.get("reason"):
        text += f" ({reason})"
    for word in ("since", "until"):
        if moment := metadata.get(word):
            with suppress(ValueError):
                moment = local_text(datetime.fromisoformat(moment))
            text += f" {word} {moment}"
    return text


def place(metadata: Mapping[str, str]) -> str:
    """Return a caller's place in the queue, from the metadata of an error; `` if it has none."""
    try:
        number, waiting = int(metadata["place"]), int(metadata["waiting"])
    except (KeyError, ValueError):
        return ""
    return "you are next" if number == 1 else f"you are {_ordinal(number)} of {waiting} in line"


def _ordinal(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}th" if number % 100 in (11, 12, 13) else f"{number}{suffix}"


def _until(lock: lock_pb.Lock) -> str | Timestamp:
    if lock.expired_at is not None:
        return "expired"
    if lock.expires_at is None:
        return "released"
    return lock.expires_at
