"""Records as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tracker.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from protobuf.wkt import Timestamp

_UNBOUNDED = 1_000_000


def print_record(fields: Mapping[str, str]) -> None:
    """Print what is known of a record, one line a field; what is empty is left out."""
    width = max(map(len, fields))
    for name, value in fields.items():
        if value:
            typer.echo(f"{name:<{width}}  {printable(value)}")


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    in_full: Sequence[Callable[[], None]],
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print a table, or, where it would not fit the terminal, each record in full below the other.

    `styles` says how values look on a terminal that has colours.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.no_wrap = True
    for row in rows:  # a name may look like markup
        table.add_row(*(Text(printable(value), (styles or {}).get(value, "")) for value in row))
    if not console.is_terminal:
        console.width = _UNBOUNDED  # a line for each record, for `grep` and the like
    if console.measure(table, options=console.options.update(max_width=_UNBOUNDED)).maximum <= console.width:
        console.print(table)
        return
    for number, print_one in enumerate(in_full):
        if number:
            typer.echo()
        print_one()


def shown_time(moment: Timestamp | None) -> str:
    """Return a moment in the time zone of this machine, or nothing."""
    return "" if moment is None else moment.to_datetime().astimezone().isoformat(" ", "seconds")
