"""What commands print for programs: JSON, lines of JSON, YAML and CSV."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import typer

from tracker.cli.output import Output, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from protobuf import Message

M = TypeVar("M", bound="Message")
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


def print_answer(answer: Message, output: Output, **more: str) -> None:
    """Print an answer as one document, with fields of our own beside its."""
    print_document({**json_of(answer, output), **more}, output)


def print_document(document: Mapping[str, Json], output: Output) -> None:
    """Print one document, as JSON unless as YAML."""
    if output is Output.YAML:
        from tracker.cli.yaml_text import to_yaml

        typer.echo(to_yaml(document), nl=False)
    else:
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_each(messages: Iterable[Message], output: Output) -> None:
    """Print messages as soon as they are there: each as a line of JSON, or as a document of YAML."""
    if output is Output.YAML:
        from tracker.cli.yaml_text import to_yaml

        for message in messages:
            typer.echo(f"---\n{to_yaml(json_of(message, output))}", nl=False)
    else:
        for message in messages:
            typer.echo(json.dumps(json_of(message, output), ensure_ascii=False))


def print_list(
    name: str,
    messages: Iterable[M],
    output: Output,
    columns: Sequence[str],
    row: Callable[[M], Sequence[str]],
) -> None:
    """Print messages as lines or as a table, as soon as they are there, or as the field of one document."""
    match output:
        case Output.NDJSON:
            print_each(messages, output)
        case Output.CSV:
            print_csv(columns, map(row, messages))
        case _:
            print_document({name: [json_of(message, output) for message in messages]}, output)


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table for other programs (RFC 4180)."""
    table = csv.writer(sys.stdout)
    table.writerow(columns)
    table.writerows(map(printable, row) for row in rows)


def json_of(message: Message, output: Output) -> dict[str, Json]:
    """Return the fields of a message in the order of its proto; for YAML only those that are set."""
    from protobuf import message_to_json_value

    value = message_to_json_value(message, always_emit_implicit=output is not Output.YAML)
    return value if isinstance(value, dict) else {}
