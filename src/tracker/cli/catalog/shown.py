"""Entries of the catalog printed for people, and as the rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.cli.controls import printable
from tracker.cli.printing import fields_of, print_record, shown_time
from tracker.cli.tables import Column, Table, line_printer

if TYPE_CHECKING:
    from protobuf import Message

    from tracker.cli.catalog.applying import Applied, Difference
    from tracker.cli.printing import Cell
    from tracker.pb import catalog_pb
    from tracker.transcoding.json_text import JsonValue

_COLUMNS = {
    Column("NAME", least=16): "name",
    Column("TYPE", rank=3, least=7): "type",
    Column("LANGUAGE", rank=6, least=6): "languages",
    Column("OWNER", rank=2, least=8): "owner",
    Column("VERSION", rank=1, least=7): "version",
    Column("REFERENCE", rank=4, least=7): "reference_version",
    Column("LATEST", rank=5, least=7): "latest_version",
    Column("PLATFORM", rank=8, least=6): "platform",
}
_TIMES = ("created_at", "updated_at")

_LONG = 60
"""Characters of a value in a difference."""

_OUTCOMES = {
    "created": ("created", "would create", "green"),
    "changed": ("changed", "would change", "yellow"),
    "unchanged": ("unchanged", "unchanged", "dim"),
}
"""The texts for outcomes, those of a dry run, and the style of both on a terminal."""


def entry_row(entry: catalog_pb.Catalog) -> tuple[Cell, ...]:
    """Return the row of an entry, a value for each of the columns of `ENTRIES`."""
    fields = fields_of(entry, use_proto_field_name=True)
    return (*(_text(fields.get(name, "")) for name in _COLUMNS.values()), entry.updated_at)


def print_entry(entry: Message) -> None:
    """Print an entry or a part of it, one line a field, without empty fields."""
    fields = fields_of(entry, use_proto_field_name=True)
    times = {name: shown_time(getattr(entry, name)) for name in _TIMES if name in fields}
    names = [field.name for field in type(entry).desc().fields]
    print_record({_words(name): times.get(name) or _text(fields.get(name, "")) for name in names})


ENTRIES: Table[catalog_pb.Catalog] = Table((*_COLUMNS, Column("UPDATED", rank=7, least=7)), entry_row)


def print_applied(result: Applied, *, dry_run: bool) -> None:
    """Print the outcome of an entry, followed by the differences if it existed before."""
    done, would, style = _OUTCOMES[result.outcome]
    print_line = line_printer(" ")
    print_line([(would if dry_run else done, style), (result.name, "")])
    for difference in result.differences if result.outcome == "changed" else ():
        sign, text, style = _shown_difference(difference)
        print_line([(f"  {sign} {text}", style)])


def _shown_difference(difference: Difference) -> tuple[str, str, str]:
    """Return the sign of a difference, its text, and its style on a terminal."""
    field = printable(difference.field)
    match difference.old, difference.new:
        case None, new:
            return "+", f"{field}: {_cut(new)}", "green"
        case old, None:
            return "-", f"{field}: {_cut(old)}", "red"
        case old, new:
            return "~", f"{field}: {_cut(old)} -> {_cut(new)}", "yellow"


def _cut(text: str | None) -> str:
    shown = printable(text or "")
    return shown if len(shown) <= _LONG else f"{shown[:_LONG]}…"


def _text(value: JsonValue) -> str:
    """Return a value for people: items and fields are separated by commas."""
    match value:
        case dict():
            return ", ".join(f"{_words(name)} {_text(each)}" for name, each in value.items())
        case list():
            return ", ".join(map(_item, value))
        case _:
            return str(value)


def _item(value: JsonValue) -> str:
    return " ".join(map(_text, value.values())) if isinstance(value, dict) else _text(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
