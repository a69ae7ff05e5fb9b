"""How metrics of delivery are printed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from tracker.cli.printing import echo, shown_time
from tracker.cli.tables import Column, Table, print_rows
from tracker.delivery_text import NAMES, counted_text, seconds_text, totals_text, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracker.cli.printing import Cell
    from tracker.pb import delivery_pb

COLUMNS: Final = ("group", "metric", "value", "unit", "band", "level", "counted", "among", "no_data", "query")
_TOTAL: Final = (
    Column("METRIC", least=12),
    Column("VALUE", least=10),
    Column("LEVEL", rank=1, least=8),
    Column("COUNTED", rank=2, least=8),
)
EVENTS: Final = (
    Column("AT", rank=1, least=5),
    Column("TITLE", least=12),
    Column("VALUE", least=6),
    Column("WHY", rank=2, least=10),
    Column("BECAUSE OF", rank=4, id=True),
    Column("ID", rank=3, id=True),
)


def level_text(metric: delivery_pb.DeliveryMetric) -> str:
    """Return where a number stands, in words."""
    band = metric.band.name if metric.band else ""
    return f"{band}: {metric.level}" if band and metric.level else band or metric.level


def show(answer: delivery_pb.GetDeliveryMetricsResponse) -> None:
    """Print metrics for people."""
    total = answer.total
    if total is None:
        return
    environments = ", ".join(each.name for each in answer.environments) or "all environments"
    span = f"{shown_time(answer.start)} to {shown_time(answer.end)}"
    echo(f"{answer.method.name}, {environments}, {span} ({answer.time_zone})")
    echo(totals_text(total))
    echo()
    print_rows(_TOTAL, [_row(each) for each in total.metrics])
    notes = dict.fromkeys(note for each in total.metrics for note in (each.no_data, *each.gaps) if note)
    if notes:
        echo()
    for note in notes:
        echo(f"- {note}")
    if answer.groups:
        echo()
        names = [NAMES[each.metric.name] for each in total.metrics]
        columns = (Column("GROUP", least=10), Column("DEPLOYMENTS", rank=5), *map(_column, names))
        print_rows(columns, [_group(each) for each in answer.groups])
    if answer.other_groups:
        echo(f"and {answer.other_groups:,} more")
    queries = [each for each in total.metrics if each.query]
    if queries:
        echo()
    for each in queries:
        echo(f"{NAMES[each.metric.name]}: tracker event search {shlex.quote(each.query)}")
    if not answer.events:
        echo()
        echo("The events behind a number: --events METRIC")


def _column(name: str) -> Column:
    return Column(name.upper(), rank=1 + len(name) % 4, least=6)


def _row(each: delivery_pb.DeliveryMetric) -> Sequence[Cell]:
    return NAMES[each.metric.name], value_text(each), level_text(each), counted_text(each)


def _group(group: delivery_pb.DeliveryGroup) -> Sequence[Cell]:
    cells = (f"{value_text(each)}{f' ({each.band.name})' if each.band else ''}" for each in group.metrics)
    return group.name or "(none)", group.deployments, *cells


def event_table(metric: str) -> Table[delivery_pb.DeliveryEvent]:
    """Return how the events behind a metric are listed."""
    is_duration = metric in {"lead_time", "time_to_restore"}

    def row(each: delivery_pb.DeliveryEvent) -> Sequence[Cell]:
        value = f"{each.value:g}" if each.has_field("value") else ""
        if value and is_duration:
            value = seconds_text(each.value)
        return each.at, each.title, value, each.reason, each.because_of, each.id

    return Table(EVENTS, row)


def rows(answer: delivery_pb.GetDeliveryMetricsResponse) -> Iterator[Sequence[Cell]]:
    """Yield a row for each metric of each group, that of all first."""
    for group in (answer.total, *answer.groups):
        for each in group.metrics if group is not None else ():
            name = "" if group is answer.total else group.name if group else ""
            value = f"{each.value:.6g}" if each.has_field("value") else ""
            band = each.band.name if each.band else ""
            numbers = (each.counted, each.among, each.no_data, each.query)
            yield name, each.metric.name, value, each.unit, band, each.level, *numbers
