"""Answers as commands print them for programs: JSON, lines of JSON, YAML and CSV."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING

import typer

from tracker.cli.output import Output, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from protobuf import Message

    from tracker.transcoding.json_text import JsonValue


def print_answer(  # noqa: PLR0913  # what each form needs
    answer: Message,
    output: Output,
    text: Callable[[], object],
    *,
    records: Iterable[Message] = (),
    columns: Iterable[str] = (),
    rows: Iterable[Sequence[str]] = (),
    more: Mapping[str, str] | None = None,
) -> None:
    """Print an answer in the form that was asked for.

    For people, `text` prints it. `ndjson` has a line for each of `records`, `csv` a row for each of `rows`,
    and the others one document: the answer, and `more` fields after its own.
    """
    match output:
        case Output.TEXT:
            text()
        case Output.NDJSON:
            print_each(records, output)
        case Output.CSV:
            print_csv(columns, rows)
        case _:
            print_document({**json_of(answer, output), **(more or {})}, output)


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
    table = csv.writer(sys.stdout)
    table.writerow(columns)
    table.writerows(map(printable, row) for row in rows)


def json_of(message: Message, output: Output) -> dict[str, JsonValue]:
    """Return the fields of a message in the order of its proto; for YAML only those that are set."""
    from protobuf import message_to_json_value

    value = message_to_json_value(message, always_emit_implicit=output is not Output.YAML)
    return value if isinstance(value, dict) else {}
