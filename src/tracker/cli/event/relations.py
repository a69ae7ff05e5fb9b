"""`tracker event related` and `overlaps`."""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from tracker.cli.event.options import EventId, Explain, Query, by_option
from tracker.cli.local_time import local_zone
from tracker.cli.options import ListApi, number_option
from tracker.cli.printing import datetime_of_timestamp, echo
from tracker.cli.short_ids import whole_event_id
from tracker.cli.tables import Column, print_rows
from tracker.cli.time_options import end_option, moment_option
from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.cli.printing import Cell
    from tracker.pb import event_pb

_WHAT = (
    Column("STATUS", rank=3, least=7),
    Column("EVENT", least=20),
    Column("TYPE", rank=6, least=8),
    Column("SERVICE", rank=4, least=8),
    Column("ENVIRONMENT", rank=5, least=8),
    Column("ID", rank=1, id=True),
)
_CHAIN_COLUMNS = (Column("TIME", rank=3, least=4), Column("AFTER", rank=2, least=5), *_WHAT)
_CHAIN_FIELDS = (
    *("time", "after", "after_previous", "depth", "service", "environment", "type", "status"),
    *("title", "id", "parent_id"),
)

_BY = ("service", "environment")
"""The fields that the server compares by default."""

_COLUMNS = (Column("FROM", rank=2, least=4), Column("TOOK", rank=2, least=5), *_WHAT)
_FIELDS = ("from", "until", "took", "first", "first_id", "second", "second_id")


def related(id_: EventId, *, api: ListApi) -> None:
    """Show the chain of an event: what it links to, and all that links to that.

    Each event follows the one that it links to, with the time between the two: the incident after the
    deployment, the rollback after the incident.
    """
    from tracker.client.rpcs import LIST_RELATED_EVENTS

    answer = api.whole(LIST_RELATED_EVENTS, LIST_RELATED_EVENTS.request(id=whole_event_id(api, id_)))
    rows = map(_chain_fields, answer.events)
    api.show(answer, lambda: _print_tree(answer), records=answer.events, columns=_CHAIN_FIELDS, rows=rows)
    if answer.incomplete:
        echo(f"there are more events than these {len(answer.events)}", err=True)


def _print_tree(answer: event_pb.ListRelatedEventsResponse) -> None:
    from tracker.cli.event.shown import STYLES, shown_length

    print_rows(_CHAIN_COLUMNS, [_chain_row(lines, each) for lines, each in _tree(answer.events)], STYLES)
    if sys.stdout.isatty() and len(answer.events) > 1:
        echo()
        echo(f"{number_of(len(answer.events), 'event')} in {shown_length(answer.duration)}")


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


def _chain_row(lines: str, each: event_pb.RelatedEvent) -> Sequence[Cell]:
    """Return the row of an event in the tree, a value for each of `_CHAIN_COLUMNS`."""
    time, after, _, _, service, environment, type_, status, title, id_, _ = _chain_fields(each)
    return (time, after and f"+{after}", status, f"{lines}{title}", type_, service, environment, id_)


def _chain_fields(each: event_pb.RelatedEvent) -> Sequence[Cell]:
    """Return the row of an event, a value for each of `_CHAIN_FIELDS`."""
    from tracker.cli.event.shown import event_row, shown_length
    from tracker.pb import event_pb

    time, service, environment, type_, status, _, _, title, id_ = event_row(each.event or event_pb.Event())
    return (
        *(time, shown_length(each.since_parent), shown_length(each.since_previous), str(each.depth)),
        *(service, environment, type_, status, title, id_, each.parent_id),
    )


def overlaps(
    query: Query,
    *,
    from_: Annotated[
        datetime | None,
        moment_option("Start of the period.  [default: 24h, ago]", "--from"),
    ] = None,
    until: Annotated[
        datetime | None,
        end_option("End of the period.  [default: +24h]"),
    ] = None,
    by: Annotated[list[str] | None, by_option("Field to compare by", _BY)] = None,
    limit: Annotated[
        int, number_option("Overlaps to print, up to 10000.", "--limit", "-n", least=1, most=10_000)
    ] = 1_000,
    explain: Explain = False,
    api: ListApi,
) -> None:
    """Find events of one service and environment that overlap in time, planned events included.

    Example: tracker event overlaps 'env:prod type:(deployment OR operation)' --from now --until +7d
    """
    from protobuf.wkt import UInt32Value

    from tracker.cli.event.shown import show_plan
    from tracker.client.rpcs import GET_EVENT_OVERLAPS

    request = GET_EVENT_OVERLAPS.request(
        query=query,
        start_date="" if from_ is None else from_.isoformat(timespec="seconds"),
        end_date="" if until is None else until.isoformat(timespec="seconds"),
        by=by or [],
        limit=UInt32Value(value=limit),
        explain=explain,
        time_zone=local_zone().key,
    )
    answer = api.whole(GET_EVENT_OVERLAPS, request)
    answer.groups = _joined(answer.groups)
    if explain:
        show_plan(api, answer.plan, f"{answer.event_count:,}")
        return
    api.show(
        answer,
        lambda: _print_groups([group for group in answer.groups if group.pairs]),
        records=answer.groups,
        columns=(*(by or _BY), *_FIELDS),
        rows=_pairs(answer.groups),
    )
    given = sum(len(group.pairs) for group in answer.groups)
    if given < answer.pair_count:
        echo(f"{given} of {answer.pair_count} overlaps; --limit gives more", err=True)
    if answer.incomplete:
        echo("there are more than 10000 events; only the latest were compared", err=True)


def _joined(groups: Sequence[event_pb.OverlapGroup]) -> list[event_pb.OverlapGroup]:
    """Return groups of which none is in two parts, as pages may have them."""
    joined: list[event_pb.OverlapGroup] = []
    for group in groups:
        if joined and (joined[-1].values, joined[-1].start) == (group.values, group.start):
            joined[-1].events += group.events
            joined[-1].pairs += group.pairs
        else:
            joined.append(group)
    return joined


def _print_groups(groups: Sequence[event_pb.OverlapGroup]) -> None:
    from tracker.cli.event.shown import STYLES

    if not groups:
        echo("no overlaps", err=True)
    for number, group in enumerate(groups):
        if number:
            echo()
        echo(" ".join(value or "(none)" for value in group.values))
        print_rows(_COLUMNS, [*_rows(group)], STYLES)


def _rows(group: event_pb.OverlapGroup) -> Iterator[Sequence[Cell]]:
    """Yield a row for each event, followed by one for each earlier event that it overlaps."""
    from tracker.cli.event.shown import name_of

    titles = {event.id: event.title for event in group.events}
    pairs: defaultdict[str, list[event_pb.OverlapPair]] = defaultdict(list)
    for pair in group.pairs:
        pairs[pair.second_id].append(pair)
    for event in group.events:
        type_, status, environment = (name_of(event, field) for field in ("type", "status", "environment"))
        what = (status, event.title, type_, event.service, environment, event.id)
        yield (event.start, _took(event), *what)
        for pair in pairs[event.id]:
            what = ("", f"└─ at once with {titles[pair.first_id]}", "", "", "", "")
            yield (pair.start, _took(pair), *what)


def _pairs(groups: Sequence[event_pb.OverlapGroup]) -> Iterator[Sequence[Cell]]:
    """Yield a row for each pair: the values that both share, and a value for each of `_FIELDS`."""
    for group in groups:
        titles = {event.id: event.title for event in group.events}
        for pair in group.pairs:
            events = (titles[pair.first_id], pair.first_id, titles[pair.second_id], pair.second_id)
            yield (*group.values, pair.start, pair.end, _took(pair), *events)


def _took(span: event_pb.OverlappingEvent | event_pb.OverlapPair) -> str:
    from tracker.time_text import rounded_text

    if span.start is None or span.end is None:
        return ""
    return rounded_text(datetime_of_timestamp(span.end) - datetime_of_timestamp(span.start))
