"""`tracker stats`: how many events there are, by value or over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from tracker.cli.calls import Api
from tracker.cli.event.options import Explain, Query, by_option
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.local_time import local_zone
from tracker.cli.options import api_options, number_option
from tracker.cli.printing import Output, echo, print_csv
from tracker.cli.tables import Column, print_rows
from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.cli.printing import Cell
    from tracker.pb import event_pb
    from tracker.transcoding.json_text import JsonValue

_FIELDS = ("status", "service", "environment", "type")
"""Fields to count by, by default."""

_NO_VALUE = "(none)"
_OTHERS = "(others)"

_Table: TypeAlias = "tuple[Sequence[str], Sequence[Sequence[Cell]]]"
"""Columns, of which the second is the number of events, and rows."""


def stats(
    query: Query,
    *,
    by: Annotated[list[str] | None, by_option("Field to count by", _FIELDS)] = None,
    every: Annotated[
        str, typer.Option(metavar="INTERVAL", help="Count over time: by month, week, day, 6h, 15m or `auto`.")
    ] = "",
    limit: Annotated[
        int,
        number_option("Values of a field to print, 1 to 100.", "--limit", "-n", least=1, most=100),
    ] = 10,
    explain: Explain = False,
    api: Annotated[
        Api,
        api_options(
            "`json` and `yaml` print the answer of the server, `csv` a table.",
            *(Output.JSON, Output.YAML, Output.CSV),
        ),
    ],
) -> None:
    """Count events by the values of fields, or over time with --every.

    Over time, the period is that of the query, by default the last 24 hours; --by names one field at most.

    Example: tracker stats type:deployment since:30d --every day --by status
    """
    from tracker.cli.event.shown import show_plan
    from tracker.client.rpcs import GET_EVENT_FACETS, GET_EVENT_HISTOGRAM

    if every and by and len(by) > 1:
        raise CommandError("--by: expected one field at most with --every", USAGE)
    answer: event_pb.GetEventFacetsResponse | event_pb.GetEventHistogramResponse
    common: dict[str, JsonValue] = {
        "query": query,
        "limit": limit,
        "explain": explain,
        "time_zone": local_zone().key,
    }
    if every:
        interval, field = "" if every == "auto" else every, by[0] if by else ""
        asked = {**common, "interval": interval, "by": field}
        histogram = api.call(GET_EVENT_HISTOGRAM, GET_EVENT_HISTOGRAM.of(asked))
        answer, tables = histogram, [_over_time(histogram)]
    else:
        asked = {**common, "fields": [*(by or _FIELDS)]}
        facets = api.call(GET_EVENT_FACETS, GET_EVENT_FACETS.of(asked))
        answer, tables = facets, [_by_value(facet) for facet in facets.facets]
    if explain:
        show_plan(api, answer.plan, f"{answer.total_count:,}")
    elif api.output is Output.CSV:
        for columns, rows in tables:
            print_csv(columns, rows)
    else:
        api.show(answer, lambda: print_counts(answer.total_count, tables))


def _by_value(facet: event_pb.EventFacet) -> _Table:
    rows = [(each.value or _NO_VALUE, each.count) for each in facet.values]
    if facet.other_count:
        rows.append((_OTHERS, facet.other_count))
    return (facet.field, "events"), rows


def _over_time(histogram: event_pb.GetEventHistogramResponse) -> _Table:
    others = [_OTHERS] if any(bucket.other_count for bucket in histogram.buckets) else []
    columns = ("time", "events", *(value or _NO_VALUE for value in histogram.values), *others)
    rows: list[Sequence[Cell]] = []
    for bucket in histogram.buckets:
        counts = (bucket.count, *(each.count for each in bucket.values), bucket.other_count)
        rows.append((bucket.start, *counts)[: len(columns)])
    return columns, rows


def print_counts(total: int, tables: Sequence[_Table]) -> None:
    """Print a number of events, and tables of counts with a bar for each row."""
    echo(number_of(total, "event"))
    for (first, *counts), rows in tables:
        echo()
        columns = [Column(name, rank=number, least=4) for number, name in enumerate(counts)]
        bars = Column("", bar=True, rank=1, least=8)
        print_rows((Column(first, least=8), *columns, bars), [(*row, row[1]) for row in rows])
