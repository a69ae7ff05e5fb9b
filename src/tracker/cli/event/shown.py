"""Events printed for people, and as the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer
from protobuf.wkt import Timestamp

from tracker.cli.calls import Api
from tracker.cli.event.options import FIELDS
from tracker.cli.printing import Table, fields_of, print_record, printable, shown_time
from tracker.pb import event_pb
from tracker.time_text import rounded_text

if TYPE_CHECKING:
    from protobuf.wkt import Duration

_FIRST = ("service", "environment", "type", "status", "priority", "version", "owner", "impact")
_LAST = ("labels", "message")
_LABELS = {
    "related_id": "related to",
    "pull_request_link": "pull request",
    "start_date": "start",
    "end_date": "end",
}
"""Names of fields that people read otherwise."""

_COLUMNS = ("TIME", "SERVICE", "ENVIRONMENT", "TYPE", "STATUS", "PRIORITY", "TOOK", "TITLE", "ID")
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


def print_changelog(changelog: Iterable[event_pb.ChangelogEntry]) -> None:
    """Print a changelog, one line an entry."""
    for entry in changelog:
        what = entry.comment or "changed"
        if entry.field:
            what = f"{entry.field}: {entry.old_value or '-'} -> {entry.new_value or '-'}"
        typer.echo(f"{shown_time(entry.timestamp)}  {printable(entry.user)}  {printable(what)}")


def change_line(message: event_pb.WatchEventsResponse) -> list[tuple[str, str]]:
    """Return the parts of the line for a change, or for an earlier event, each with its style."""
    event = message.event or event_pb.Event()
    attributes, metadata, _ = _parts(event)
    at = message.changed_at or attributes.start_date or metadata.created_at
    parts = (
        (shown_time(at)[:19], 19),
        (message.kind.name if message.kind else "", 7),
        (name_of(attributes, "status"), 11),
        (attributes.service, 14),
        (name_of(attributes, "environment"), 11),
        (event.title, 0),
        (name_of(attributes, "type"), 0),
        (name_of(attributes, "priority"), 0),
        (metadata.id, 0),
    )
    styles = STYLES | _KINDS
    return [(value.ljust(width), styles.get(value, "")) for value, width in parts if value or width]


def event_row(event: event_pb.Event) -> tuple[str, ...]:
    """Return the row of an event, a value for each of `_COLUMNS`."""
    attributes, metadata, _ = _parts(event)
    return (
        shown_time(attributes.start_date or metadata.created_at),
        attributes.service,
        *(name_of(attributes, field) for field in ("environment", "type", "status", "priority")),
        shown_length(metadata.elapsed),
        event.title,
        metadata.id,
    )


EVENTS = Table(_COLUMNS, event_row, print_event, STYLES)


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
            "searched": f"{plan.documents:,} document{'' if plan.documents == 1 else 's'}",
            "took": f"{plan.took.to_timedelta().total_seconds() * 1_000:,.1f} ms" if plan.took else "",
        }
    )
    for step in plan.steps:
        typer.echo(f"- {printable(step)}")
