"""`tracker event related`."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import TYPE_CHECKING

import typer

from tracker.cli.calls import ask
from tracker.cli.event.group import EPILOG, app
from tracker.cli.event.options import EventId
from tracker.cli.options import DEFAULT_SERVER, ListFormat, Server
from tracker.cli.output import Output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.pb import event_pb

_COLUMNS = ("TIME", "AFTER", "STATUS", "EVENT", "TYPE", "SERVICE", "ENVIRONMENT", "ID")
_FIELDS = (
    *("time", "after", "after_previous", "depth", "service", "environment", "type", "status"),
    *("title", "id", "parent_id"),
)


@app.command("related", epilog=EPILOG)
def related(id_: EventId, *, server: Server = DEFAULT_SERVER, output: ListFormat = Output.TEXT) -> None:
    """Show the chain of an event: what it links to, and all that links to that.

    Each event follows the one that it links to, with the time between the two: the incident after the
    deployment, the rollback after the incident.
    """
    from tracker.cli.documents import print_answer
    from tracker.client.events import LIST_RELATED_EVENTS

    answer = ask(server, output, LIST_RELATED_EVENTS, LIST_RELATED_EVENTS.request(id=id_))
    rows = map(_fields, answer.events)
    print_answer(
        answer, output, lambda: _print_tree(answer), records=answer.events, columns=_FIELDS, rows=rows
    )
    if answer.incomplete:
        typer.echo(f"there are more events than these {len(answer.events)}", err=True)


def _print_tree(answer: event_pb.ListRelatedEventsResponse) -> None:
    from tracker.cli.event.shown import STYLES, shown_length
    from tracker.cli.records import print_lines

    print_lines(_COLUMNS, [_row(lines, each) for lines, each in _tree(answer.events)], STYLES)
    if sys.stdout.isatty() and len(answer.events) > 1:
        typer.echo(f"\n{len(answer.events)} events in {shown_length(answer.duration)}")


def _tree(events: Sequence[event_pb.RelatedEvent]) -> Iterator[tuple[str, event_pb.RelatedEvent]]:
    """Yield each event after the one that it links to, with the lines of the tree before it."""
    below: defaultdict[str, list[event_pb.RelatedEvent]] = defaultdict(list)
    for each in events:
        below[each.parent_id].append(each)
    waiting = [("", "", each) for each in below[""]]
    while waiting:
        lines, indent, each = waiting.pop()
        yield lines, each
        for number, following in enumerate(reversed(below[_id(each)])):
            branch, rest = ("├─ ", "│  ") if number else ("└─ ", "   ")
            waiting.append((indent + branch, indent + rest, following))


def _id(each: event_pb.RelatedEvent) -> str:
    return each.event.metadata.id if each.event is not None and each.event.metadata is not None else ""


def _row(lines: str, each: event_pb.RelatedEvent) -> Sequence[str]:
    """Return the row of an event in the tree, a value for each of `_COLUMNS`."""
    time, after, _, _, service, environment, type_, status, title, id_, _ = _fields(each)
    return (time[:19], after and f"+{after}", status, f"{lines}{title}", type_, service, environment, id_)


def _fields(each: event_pb.RelatedEvent) -> Sequence[str]:
    """Return the row of an event, a value for each of `_FIELDS`."""
    from tracker.cli.event.shown import event_row, shown_length
    from tracker.pb import event_pb

    time, service, environment, type_, status, _, _, title, id_ = event_row(each.event or event_pb.Event())
    return (
        *(time, shown_length(each.since_parent), shown_length(each.since_previous), str(each.depth)),
        *(service, environment, type_, status, title, id_, each.parent_id),
    )
