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


def print_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str] | None = None
) -> None:
    """Print a table whose rows belong together: each stays a line, cut off where the terminal ends.

    `styles` says how values look on a terminal that has colours.
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
    """Return what prints the parts of a line, each with the style that it has on a terminal.

    The line is cut off where the terminal ends, and whole where there is none.
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
    """Return a moment in the time zone of this machine, or nothing."""
    return "" if moment is None else moment.to_datetime().astimezone().isoformat(" ", "seconds")
