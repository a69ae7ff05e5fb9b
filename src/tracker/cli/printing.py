"""What commands print: records and progress for people, documents and tables for programs."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import typer

from tracker.cli.controls import printable, replaced_controls
from tracker.cli.local_time import local_zone
from tracker.time_text import MICROS, datetime_of, local_time, micros_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from protobuf import Message
    from protobuf.wkt import Timestamp
    from rich.console import Console

    from tracker.transcoding.json_text import JsonValue

R = TypeVar("R")
M = TypeVar("M", bound="Message")

Cell: TypeAlias = "str | int | Timestamp | None"
"""A value of a record in a table."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""
_NUMBER = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?")

_LINE_SECONDS = 5.0
"""Seconds between two lines of progress without a terminal."""


class Output(StrEnum):
    """A form of output, for people or for programs."""

    TEXT = "text"
    JSON = "json"
    NDJSON = "ndjson"
    YAML = "yaml"
    CSV = "csv"


def echo(text: str = "", *, err: bool = False) -> None:
    """Print a line, without control characters."""
    typer.echo(printable(text), err=err)


def say(text: str) -> None:
    """Print a message to the user, apart from the output of the command."""
    echo(f"tracker: {text}", err=True)


def print_document(document: Mapping[str, JsonValue], output: Output) -> None:
    """Print one document, as YAML if that was asked for, else as JSON."""
    if output is Output.YAML:
        from tracker.cli.yaml_text import to_yaml

        typer.echo(to_yaml(document), nl=False)
    else:
        print_json(document, indent=2)


def print_json(value: JsonValue | Mapping[str, JsonValue], indent: int | None = None) -> None:
    """Print JSON, on one line without `indent`."""
    typer.echo(json_text(json.dumps(value, indent=indent, ensure_ascii=False)))


def json_text(text: str) -> str:
    """Return JSON with escapes for what can't be written and, on a terminal, for what can control it."""
    if sys.stdout.isatty():
        return replaced_controls(text, lambda each: json.dumps(each)[1:-1])
    return _SURROGATE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def print_each(messages: Iterable[Message], output: Output) -> None:
    """Print messages as they arrive: each as a line of JSON, or as a document of YAML."""
    for message in messages:
        fields = json_of(message, output)
        if output is Output.YAML:
            typer.echo("---")
            print_document(fields, output)
        else:
            print_json(fields)


def print_csv(columns: Iterable[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a table for other programs (RFC 4180); a spreadsheet finds no formulas in it."""
    import csv

    table = csv.writer(sys.stdout)
    table.writerow(columns)
    table.writerows(map(_csv_value, row) for row in rows)


def _csv_value(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str() | int():
            text = str(cell)
            text = f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
            kept = "\t" if sys.stdout.isatty() else "\t\r"
            return replaced_controls(text, lambda each: each if each in kept else "\N{REPLACEMENT CHARACTER}")
        case moment:
            return _local(datetime_of_timestamp(moment)).isoformat(" ", "seconds")


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
            echo(f"{name:<{width}}  {value}")


def named(name: str, claimed: str) -> str:
    """Return the name of a caller, with whom it named itself, if it did."""
    return f"{name} as {claimed}" if claimed else name


def local_text(moment: datetime) -> str:
    """Return a moment in the time zone of this machine, to the second."""
    return _local(moment).replace(tzinfo=None).isoformat(" ", "seconds")


def datetime_of_timestamp(moment: Timestamp) -> datetime:
    """Return a moment in UTC, rounded down; `to_datetime` rounds to the nearest, so up to the year 10000."""
    return datetime_of(moment.seconds * MICROS + moment.nanos // 1_000)


def _local(moment: datetime) -> datetime:
    return local_time(micros_of(moment), local_zone())


def shown_time(moment: Timestamp | None) -> str:
    """Return a moment in the time zone of this machine, and exactly in UTC; `` for none."""
    if moment is None:
        return ""
    exact = datetime_of_timestamp(moment)
    return f"{local_text(exact)} ({exact.replace(tzinfo=None).isoformat()}Z)"


def console(*, err: bool = False) -> Console:
    """Return what prints on a terminal of any kind, also a dumb one."""
    from rich.console import Console

    return Console(stderr=err, highlight=False, width=terminal_width(), height=1)


def terminal_width() -> int:
    """Return the number of columns of the terminal."""
    return shutil.get_terminal_size().columns


@contextmanager
def shown_progress(*, sizes: bool = False) -> Iterator[Callable[[str, int, int | None], None]]:
    """Show a progress bar on a terminal, else a line now and then; a total of None is unknown.

    Steps are bytes if `sizes`; then there are no lines.
    """
    terminal = console(err=True)
    if not terminal.is_terminal:
        yield (lambda *_: None) if sizes else _Lines()
        return
    from rich import progress as bar

    class Rate(bar.ProgressColumn):
        """Steps done a second."""

        def render(self, task: bar.Task) -> str:
            return f"{task.speed:,.0f}/s" if task.speed else ""

    done = (bar.DownloadColumn(), bar.TransferSpeedColumn()) if sizes else (bar.MofNCompleteColumn(), Rate())
    columns = ("{task.description}", bar.BarColumn(), *done, bar.TimeRemainingColumn())
    with bar.Progress(*columns, console=terminal, transient=True) as bars:
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
            echo(f"{step}: {done:,}" + ("" if total is None else f" of {total:,}"), err=True)
