"""Locks printed for people, and as the rows of a table."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from tracker.cli.local_time import local_zone
from tracker.cli.printing import Table, print_record, printable, shown_time
from tracker.time_text import rounded_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracker.pb import lock_pb

_COLUMNS = ("SERVICE", "ENVIRONMENT", "RESOURCE", "WHO", "SINCE", "UNTIL", "REASON", "ID")


def print_lock(lock: lock_pb.Lock, token: str = "") -> None:
    """Print a lock, and a new token if there is one, one line a field, without empty fields."""
    fields = {
        "id": lock.id,
        "service": lock.service,
        "environment": lock.environment,
        "resource": lock.resource or "deployment",
        "who": lock.who,
        "reason": lock.reason,
        "event": lock.event_id,
        "since": shown_time(lock.created_at),
        "until": _until(lock),
        "renewed": f"{lock.renewals} times" if lock.renewals else "",
        "lock delay": rounded_text(lock.lock_delay.to_timedelta()) if lock.lock_delay is not None else "",
        "fencing token": str(lock.fencing_token or ""),
        "labels": ", ".join(f"{name}={value}" for name, value in sorted(lock.labels.items())),
        "token": token,
    }
    print_record(fields)


def lock_row(lock: lock_pb.Lock) -> tuple[str, ...]:
    """Return the row of a lock, a value for each of `_COLUMNS`."""
    return (
        lock.service,
        lock.environment,
        lock.resource or "deployment",
        lock.who,
        shown_time(lock.created_at),
        _until(lock),
        lock.reason,
        lock.id,
    )


LOCKS = Table(_COLUMNS, lock_row, print_lock)


def holder(metadata: Mapping[str, str]) -> str:
    """Return the holder of a lock, from the metadata of an error."""
    text = f"held by {metadata.get('who') or 'nobody named'}"
    if reason := metadata.get("reason"):
        text += f" ({reason})"
    for word in ("since", "until"):
        if moment := metadata.get(word):
            with suppress(ValueError):
                moment = datetime.fromisoformat(moment).astimezone(local_zone()).isoformat(" ", "seconds")
            text += f" {word} {moment}"
    return printable(text)


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


def _until(lock: lock_pb.Lock) -> str:
    if lock.expired_at is not None:
        return "expired"
    if lock.expires_at is None:
        return "released"
    return shown_time(lock.expires_at)
