"""Records printed for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import typer

from tracker.cli.output import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from protobuf.wkt import Timestamp

R = TypeVar("R")

_UNBOUNDED = 1_000_000


def print_record(fields: Mapping[str, str]) -> None:
    """Print a record, one line a field, without empty fields."""
    width = max(map(len, fields))
    for name, value in fields.items():
        if value:
            typer.echo(f"{name:<{width}}  {printable(value)}")


def print_table(
    columns: Sequence[str],
    records: Sequence[R],
    row: Callable[[R], Sequence[str]],
    print_one: Callable[[R], None],
    *,
    styles: Mapping[str, str] | None = None,
) -> None:
    """Print records as a table, or each by itself if a table does not fit the terminal.

    `styles` has the styles of values on a terminal with colours.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.no_wrap = True
    for record in records:  # a name may look like markup
        table.add_row(*(Text(printable(value), (styles or {}).get(value, "")) for value in row(record)))
    if not console.is_terminal:
        console.width = _UNBOUNDED  # a line for each record, for `grep` and the like
    if console.measure(table, options=console.options.update(max_width=_UNBOUNDED)).maximum <= console.width:
        console.print(table)
        return
    for number, record in enumerate(records):
        if number:
            typer.echo()
        print_one(record)


def print_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str] | None = None
) -> None:
    """Print a table whose rows belong together: each stays one line, cut off at the edge of the terminal.

    `styles` has the styles of values on a terminal with colours.
    """
    print_line = line_printer()
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row, usual in ((columns, "bold"), *((row, "") for row in rows)):
        print_line(
            [
                (value.ljust(width), (styles or {}).get(value, usual))
                for value, width in zip(row, widths, strict=True)
            ]
        )


def line_printer() -> Callable[[Sequence[tuple[str, str]]], None]:
    """Return a function that prints the parts of a line, each with its style on a terminal.

    A terminal cuts off long lines.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)

    def print_line(parts: Sequence[tuple[str, str]]) -> None:
        line = Text("  ").join(Text(printable(value), style) for value, style in parts)
        line.rstrip()
        if console.is_terminal:
            console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            console.print(line, soft_wrap=True)

    return print_line


def shown_time(moment: Timestamp | None) -> str:
    """Return a moment in the time zone of this machine, or `` for none."""
    return "" if moment is None else moment.to_datetime().astimezone().isoformat(" ", "seconds")
