"""Events printed for people, and as the rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from protobuf.wkt import Timestamp

from tracker.cli.calls import Api
from tracker.cli.event.options import FIELDS
from tracker.cli.printing import echo, fields_of, named, print_record, shown_time
from tracker.cli.tables import Column, Table, print_rows, row_printer
from tracker.number_text import number_of
from tracker.pb import event_pb
from tracker.time_text import rounded_text

if TYPE_CHECKING:
    from protobuf.wkt import Duration

    from tracker.cli.printing import Cell

_FIRST = ("service", "environment", "type", "status", "priority", "version", "owner", "impact")
_LAST = ("labels", "message")
_LABELS = {
    "related_id": "related to",
    "pull_request_link": "pull request",
    "start_date": "start",
    "end_date": "end",
}
"""Names of fields that people read otherwise."""

_COLUMNS = (
    Column("TIME", rank=1, least=4),
    Column("SERVICE", rank=3, least=8),
    Column("ENVIRONMENT", rank=4, least=8),
    Column("TYPE", rank=5, least=8),
    Column("STATUS", rank=2, least=7),
    Column("PRIORITY", rank=7, least=4),
    Column("TOOK", rank=6, least=4),
    Column("TITLE", least=15),
    Column("ID", id=True),
)
_CHANGES = (
    Column("TIME", rank=1, least=8, usual=19),
    Column("KIND", rank=2, least=7, usual=7),
    Column("STATUS", rank=3, least=7, usual=11),
    Column("SERVICE", rank=4, least=8, usual=14),
    Column("ENVIRONMENT", rank=5, least=8, usual=11),
    Column("TITLE", least=12),
    Column("TYPE", rank=7, least=8, usual=10),
    Column("PRIORITY", rank=8, least=2, usual=2),
    Column("ID", rank=6, least=13, usual=36, id=True),
)
_CHANGELOG = (Column("", rank=1, least=4), Column("", rank=2, least=8), Column("", least=16))
STYLES = {
    **dict.fromkeys(("success", "done", "close"), "green"),
    **dict.fromkeys(("failure", "error", "P1", "incident"), "bold red"),
    **dict.fromkeys(("warning", "P2", "drift"), "yellow"),
    **dict.fromkeys(("start", "in_progress"), "cyan"),
}
"""Styles of values on a terminal."""
_KINDS = {"created": "green", "updated": "cyan", "deleted": "red"}


def print_event(event: event_pb.Event) -> None:
    """Print an event without its changelog, one line a field, without empty fields."""
    attributes, metadata, links = _parts(event)
    shown = {
        "id": metadata.id,
        "title": event.title,
        **{_label(name): _text(attributes, name) for name in _FIRST},
        "created": shown_time(metadata.created_at),
        "start": shown_time(attributes.start_date),
        "end": shown_time(attributes.end_date),
        "took": shown_length(metadata.elapsed),
        "slack id": metadata.slack_id,
    }
    for field in FIELDS:
        if field.part in {"attributes", "links"} and field.name not in _LAST:
            shown.setdefault(
                _label(field.name), _text(links if field.part == "links" else attributes, field.name)
            )
    print_record(shown | {name: _text(attributes, name) for name in _LAST})


def print_changelog(changelog: Sequence[event_pb.ChangelogEntry]) -> None:
    """Print a changelog, one line an entry."""
    rows = []
    for entry in changelog:
        what = entry.comment or "changed"
        if entry.field:
            what = f"{entry.field}: {entry.old_value or '-'} -> {entry.new_value or '-'}"
        rows.append((entry.timestamp, named(entry.user, entry.claimed_user), what))
    if rows:
        print_rows(_CHANGELOG, rows)


def change_printer() -> Callable[[event_pb.WatchEventsResponse], None]:
    """Return a function that prints a change, or an earlier event, as a line."""
    print_row = row_printer(_CHANGES, STYLES | _KINDS)
    return lambda message: print_row(_change_row(message))


def _change_row(message: event_pb.WatchEventsResponse) -> tuple[Cell, ...]:
    """Return the row of a change, a value for each of `_CHANGES`."""
    event = message.event or event_pb.Event()
    attributes, metadata, _ = _parts(event)
    return (
        message.changed_at or attributes.start_date or metadata.created_at,
        message.kind.name if message.kind else "",
        name_of(attributes, "status"),
        attributes.service,
        name_of(attributes, "environment"),
        event.title,
        name_of(attributes, "type"),
        name_of(attributes, "priority"),
        metadata.id,
    )


def event_row(event: event_pb.Event) -> tuple[Cell, ...]:
    """Return the row of an event, a value for each of `_COLUMNS`."""
    attributes, metadata, _ = _parts(event)
    return (
        attributes.start_date or metadata.created_at,
        attributes.service,
        *(name_of(attributes, field) for field in ("environment", "type", "status", "priority")),
        shown_length(metadata.elapsed),
        event.title,
        metadata.id,
    )


EVENTS = Table(_COLUMNS, event_row, STYLES)


def _parts(
    event: event_pb.Event,
) -> tuple[event_pb.EventAttributes, event_pb.EventMetadata, event_pb.EventLinks]:
    return (
        event.attributes or event_pb.EventAttributes(),
        event.metadata or event_pb.EventMetadata(),
        event.links or event_pb.EventLinks(),
    )


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " "))


def _text(message: event_pb.EventAttributes | event_pb.EventLinks, field: str) -> str:
    """Return what a message has in a field, for people, or nothing."""
    match getattr(message, field):
        case bool(flag):
            return "yes" if flag else ""
        case dict(pairs):
            return ", ".join(f"{name}={value}" for name, value in sorted(pairs.items()))
        case list(values):
            return ", ".join(values)
        case str(text):
            return text
        case Timestamp() as moment:
            return shown_time(moment)
        case value:
            return (value.name or str(int(value))) if value else ""


def name_of(message: event_pb.EventAttributes | event_pb.OverlappingEvent, field: str) -> str:
    """Return the name of a value of an enum, or `` if it is unset."""
    return str(fields_of(message).get(field, ""))


def shown_length(duration: Duration | None) -> str:
    """Return a duration for people, or `` for none."""
    return "" if duration is None else rounded_text(duration.to_timedelta())


def show_plan(api: Api, plan: event_pb.QueryPlan | None, events: str) -> None:
    """Print the plan of a query; `events` is the number of its matches."""
    plan = plan or event_pb.QueryPlan()
    steps = [(step,) for step in plan.steps]
    api.show(plan, lambda: _print_plan(plan, events), records=[plan], columns=["step"], rows=steps)


def _print_plan(plan: event_pb.QueryPlan, events: str) -> None:
    print_record(
        {
            "query": plan.query,
            "events": events,
            "searched": number_of(plan.documents, "document"),
            "took": f"{plan.took.to_timedelta().total_seconds() * 1_000:,.1f} ms" if plan.took else "",
        }
    )
    for step in plan.steps:
        echo(f"- {step}")
