"""Senders, their messages, and what these become, as they are printed."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from tracker.cli.printing import echo, print_record, shown_time
from tracker.cli.tables import Column

if TYPE_CHECKING:
    from protobuf.wkt import Duration

    from tracker.cli.printing import Cell
    from tracker.pb import intake_pb

INTAKES = (
    Column("SENDER"),
    Column("LAST SEEN"),
    Column("RECORDED"),
    Column("IGNORED"),
    Column("REFUSED"),
    Column("FAILED"),
    Column("CLOCK", rank=2),
    Column("LAST PROBLEM", rank=1, least=12),
)
MESSAGES = (
    Column("TIME"),
    Column("SENDER"),
    Column("OUTCOME"),
    Column("REASON", rank=1, least=12),
    Column("BYTES", rank=3),
    Column("REPLAYED", rank=2),
    Column("ID"),
)


def intake_row(intake: intake_pb.Intake) -> tuple[Cell, ...]:
    """Return the row of a sender in a table of `INTAKES`."""
    return (
        intake.sender,
        shown_time(intake.last_seen_at),
        str(intake.recorded),
        str(intake.ignored),
        str(intake.refused),
        str(intake.failed),
        shown_skew(intake.clock_skew),
        intake.last_problem,
    )


def message_row(message: intake_pb.IntakeMessage) -> tuple[Cell, ...]:
    """Return the row of a message in a table of `MESSAGES`."""
    return (
        shown_time(message.received_at),
        message.sender,
        message.outcome.name,
        message.reason,
        str(message.body_bytes),
        shown_time(message.replayed_at),
        message.id,
    )


def shown_skew(skew: Duration | None) -> str:
    """Return how far a clock is ahead, such as `+1.5s`."""
    return "" if skew is None else f"{skew.seconds + skew.nanos / 1e9:+.1f}s"


def print_message(message: intake_pb.IntakeMessage | None) -> None:
    """Print a message with its headers and body."""
    if message is None:
        return
    print_record(
        {
            "id": message.id,
            "sender": message.sender,
            "received": shown_time(message.received_at),
            "outcome": message.outcome.name,
            "reason": message.reason,
            "replayed": shown_time(message.replayed_at),
            "path": message.path,
        }
    )
    for name, value in sorted(message.headers.items()):
        echo(f"{name}: {value}")
    echo()
    _print_json(message.body)


def print_test(answer: intake_pb.TestIntakeResponse) -> None:
    """Print what a message would become."""
    echo(f"{answer.outcome.name}{f': {answer.reason}' if answer.reason else ''}")
    for event in answer.events:
        _print_json(event.to_json())
    for commit in answer.commits:
        echo(
            f"commit {commit.sha} of {commit.repository}, {commit.service}: {shown_time(commit.committed_at)}"
        )


def _print_json(text: str) -> None:
    """Print JSON with indentation, and other text as it is."""
    with suppress(ValueError):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    for line in text.splitlines():
        echo(line)
