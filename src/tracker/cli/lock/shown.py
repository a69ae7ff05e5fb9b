"""Locks as people read them, and as scripts do."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import typer
from protobuf import message_to_json_value

from tracker.cli.lock.durations import written
from tracker.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from protobuf import Message
    from protobuf.wkt import Timestamp
    from rich.table import Table

    from tracker.pb import lock_pb

_COLUMNS = ("SERVICE", "ENVIRONMENT", "RESOURCE", "WHO", "SINCE", "UNTIL", "REASON", "ID")
_UNBOUNDED = 1_000_000


def print_json(answer: Message, **more: str) -> None:
    """Print an answer as one JSON document, with fields of our own beside its."""
    value = message_to_json_value(answer, always_emit_implicit=True)
    document = {**value, **more} if isinstance(value, dict) else value
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_lock(lock: lock_pb.Lock, **more: str) -> None:
    """Print all that is known of a lock, one line a field; what is empty is left out."""
    fields = {
        "id": lock.id,
        "service": lock.service,
        "environment": lock.environment,
        "resource": lock.resource or "deployment",
        "who": lock.who,
        "reason": lock.reason,
        "event": lock.event_id,
        "since": _time(lock.created_at),
        "until": _until(lock),
        "renewed": f"{lock.renewals} times" if lock.renewals else "",
        "lock delay": written(lock.lock_delay.to_timedelta()) if lock.lock_delay is not None else "",
        "fencing token": str(lock.fencing_token or ""),
        "labels": ", ".join(f"{name}={value}" for name, value in sorted(lock.labels.items())),
        **{name.replace("_", " "): value for name, value in more.items()},
    }
    width = max(map(len, fields))
    for name, value in fields.items():
        if value:
            typer.echo(f"{name:<{width}}  {printable(value)}")


def print_locks(locks: Sequence[lock_pb.Lock]) -> None:
    """Print locks as a table, or one below the other where a table would not fit the terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not locks:
        typer.echo("no locks are held")
        return
    table = _table(locks)
    if not console.is_terminal:
        console.width = _UNBOUNDED  # a line for each lock, for `grep` and the like
    if console.measure(table, options=console.options.update(max_width=_UNBOUNDED)).maximum > console.width:
        for number, lock in enumerate(locks):
            if number:
                typer.echo()
            print_lock(lock)
        return
    console.print(table)


def _table(locks: Iterable[lock_pb.Lock]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(*_COLUMNS, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.no_wrap = True
    for lock in locks:
        values = (
            lock.service,
            lock.environment,
            lock.resource or "deployment",
            lock.who,
            _time(lock.created_at),
            _until(lock),
            lock.reason,
            lock.id,
        )
        table.add_row(*(Text(printable(value)) for value in values))  # a name may look like markup
    return table


def holder(metadata: Mapping[str, str]) -> str:
    """Return who holds a lock, as far as the metadata of an error tells."""
    text = f"held by {metadata.get('who') or 'nobody named'}"
    if reason := metadata.get("reason"):
        text += f" ({reason})"
    for word in ("since", "until"):
        if moment := metadata.get(word):
            text += f" {word} {_local(moment)}"
    return printable(text)


def place(metadata: Mapping[str, str]) -> str:
    """Return a caller's place in the queue, as the metadata of an error tells; empty where it doesn't."""
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
    return _time(lock.expires_at)


def _time(moment: Timestamp | None) -> str:
    return "" if moment is None else moment.to_datetime().astimezone().isoformat(" ", "seconds")


def _local(moment: str) -> str:
    try:
        return datetime.fromisoformat(moment).astimezone().isoformat(" ", "seconds")
    except ValueError:
        return moment
