"""What commands print: records and progress for people, documents and tables for programs."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Generic, TypeVar

import typer

from tracker.cli.local_time import local_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from protobuf import Message
    from protobuf.wkt import Timestamp
    from rich.progress import Task

    from tracker.transcoding.json_text import JsonValue

R = TypeVar("R")
M = TypeVar("M", bound="Message")

_UNBOUNDED = 1_000_000
"""Characters of a line that is not cut off."""

_LINE_SECONDS = 5.0
"""Seconds between two lines of progress without a terminal."""


class Output(StrEnum):
    """A form of output, for people or for programs."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    YAML = "yaml"
    CSV = "csv"


def printable(text: str) -> str:
    """Return a text on one line, without control characters.

    Anybody may have written what a server returns.
    """
    return "".join(
        each if each.isprintable() else " " if each.isspace() else "\N{REPLACEMENT CHARACTER}"
        for each in text
    )


def say(text: str) -> None:
    """Print a message to the user, apart from the output of the command."""
    typer.echo(f"tracker: {printable(text)}", err=True)


def print_document(document: Mapping[str, JsonValue], output: Output) -> None:
    """Print one document, as YAML if that was asked for, else as JSON."""
    if output is Output.YAML:
        from tracker.cli.yaml_text import to_yaml

        typer.echo(to_yaml(document), nl=False)
    else:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_each(messages: Iterable[Message], output: Output) -> None:
    """Print messages as they arrive: each as a line of JSON, or as a document of YAML."""
    for message in messages:
        fields = json_of(message, output)
        if output is Output.YAML:
            typer.echo("---")
            print_document(fields, output)
        else:
            typer.echo(json.dumps(fields, ensure_ascii=False))


def print_csv(columns: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table for other programs (RFC 4180)."""
    import csv

    table = csv.writer(sys.stdout)
    table.writerow(columns)
    table.writerows(map(printable, row) for row in rows)


def json_of(message: Message, output: Output) -> dict[str, JsonValue]:
    """Return the fields of a message in the order of its proto; for YAML only those that are set."""
    return fields_of(message, always_emit_implicit=output is not Output.YAML)


def fields_of(
    message: Message, *, always_emit_implicit: bool = False, use_proto_field_name: bool = False
) -> dict[str, JsonValue]:
    """Return the fields of a message as JSON has them, with the options of `message_to_json_value`."""
    from protobuf import message_to_json_value

    value = message_to_json_value(
        message, always_emit_implicit=always_emit_implicit, use_proto_field_name=use_proto_field_name
    )
    return value if isinstance(value, dict) else {}


def print_record(fields: Mapping[str, str]) -> None:
    """Print a record, one line a field, without empty fields."""
    width = max(map(len, fields))
    for name, value in fields.items():
        if value:
            typer.echo(f"{name:<{width}}  {printable(value)}")


@dataclass(frozen=True, slots=True)
class Table(Generic[R]):
    """How records of a kind are listed: `row` returns a value for each of `columns`.

    `print_one` prints a record by itself, and `styles` has the styles of values on a terminal with colours.
    """

    columns: Sequence[str]
    row: Callable[[R], Sequence[str]]
    print_one: Callable[[R], None]
    styles: Mapping[str, str] = field(default_factory=dict)


def print_table(table: Table[R], records: Sequence[R], none: str = "", *, err: bool = True) -> None:
    """Print records as a table, or each by itself if a table does not fit the terminal.

    `none` is the message if there are none; it goes to standard error if `err`.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    if not records:
        typer.echo(none, err=err)
        return
    console = Console(highlight=False)
    grid = Grid(*table.columns, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in grid.columns:
        column.no_wrap = True
    for record in records:  # a name may look like markup
        grid.add_row(*(Text(printable(value), table.styles.get(value, "")) for value in table.row(record)))
    if not console.is_terminal:
        console.width = _UNBOUNDED  # a line for each record, for `grep` and the like
    if console.measure(grid, options=console.options.update(max_width=_UNBOUNDED)).maximum <= console.width:
        console.print(grid)
        return
    for number, record in enumerate(records):
        if number:
            typer.echo()
        table.print_one(record)


def print_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Mapping[str, str] | None = None
) -> None:
    """Print a table whose rows belong together: each stays one line, cut off at the edge of the terminal.

    `styles` has the styles of values on a terminal with colours.
    """
    print_line = line_printer()
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row, usual in ((columns, "bold"), *((row, "") for row in rows)):
        cells = zip(row, widths, strict=True)
        print_line([(value.ljust(width), (styles or {}).get(value, usual)) for value, width in cells])


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
    return "" if moment is None else moment.to_datetime().astimezone(local_zone()).isoformat(" ", "seconds")


@contextmanager
def shown_progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a progress bar on a terminal, else a line now and then; a total of None is unknown."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    class Rate(ProgressColumn):
        """Steps done a second."""

        def render(self, task: Task) -> str:
            return f"{task.speed:,.0f}/s" if task.speed else ""

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task("opening", total=None)
        shown = ""

        def progress(step: str, done: int, total: int | None) -> None:
            nonlocal shown
            if step != shown:
                bars.reset(task, description=step)
                shown = step
            bars.update(task, completed=done, total=total)

        yield progress


class _Lines:
    """Prints a line at the beginning and the end of each step, and every few seconds."""

    def __init__(self) -> None:
        self._step = ""
        self._due = 0.0

    def __call__(self, step: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if step != self._step or done == total or now >= self._due:
            self._step, self._due = step, now + _LINE_SECONDS
            typer.echo(f"{step}: {done:,}" + ("" if total is None else f" of {total:,}"), err=True)
