"""Exports of other products, read from files, and from the database of the Go implementation."""

from __future__ import annotations

import csv
import json
import os
from codecs import BOM_UTF8
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import orjson

from tracker.cli.archive.product import Foreign
from tracker.cli.archive.reading import opened
from tracker.cli.exits import USAGE, CommandError
from tracker.cli.file_text import text_of
from tracker.cli.printing import echo, say
from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tracker.cli.archive.reading import Source
    from tracker.intakes.archives.records import Product

_EXAMPLE = 40
"""Characters of an example."""

_MOST_PROBLEMS = 20


def product_of(name: str) -> Product:
    """Return how the records of a product are read."""
    from tracker.intakes.archives.alerta import ALERTA
    from tracker.intakes.archives.datadog import DATADOG
    from tracker.intakes.archives.grafana import GRAFANA
    from tracker.intakes.archives.newrelic import NEWRELIC

    return {each.name: each for each in (ALERTA, DATADOG, GRAFANA, NEWRELIC)}[name]


@contextmanager
def foreign(name: str, place: str, event_type: str) -> Iterator[Foreign]:
    """Open what is to be imported: a file, or the database of the Go implementation.

    `event_type` is that of New Relic's results that say none.
    """
    if name == "go":
        from tracker.cli.archive.go_store import go_events

        with go_events(address_of(place)) as found:
            yield found
        return
    product, usual = product_of(name), {"eventType": event_type} if event_type else {}

    def fields(record: dict[str, Any]) -> Mapping[str, tuple[str, object]]:
        return {name: (product.became(name), value) for name, value in record.items()}

    with opened(place) as source:
        records = ((number, _with(usual, each)) for number, each in enumerate(_records(source, product), 1))
        yield Foreign(records, None, source.size, source.position, product.event, fields)


def converted(found: Foreign) -> Iterator[tuple[int, bytes | ValueError]]:
    """Yield the events of records as lines of JSON, and what is wrong with others."""
    from tracker.errors import TrackerError

    for number, record in found.records:
        if isinstance(record, ValueError):
            yield number, record
            continue
        try:
            yield number, found.event(record).to_json().encode()
        except (TrackerError, ValueError, TypeError, AttributeError) as error:
            yield number, ValueError(getattr(error, "message", "") or str(error))


@dataclass(slots=True)
class _Field:
    becomes: str
    records: int = 0
    example: str = ""


@dataclass(slots=True)
class DryRun:
    """What an import would do."""

    fields: dict[str, _Field] = field(default_factory=dict)
    types: Counter[str] = field(default_factory=Counter)
    records: int = 0
    problems: int = 0

    def look(self, found: Foreign, progress: Callable[[str, int, int | None], None]) -> None:
        """Read all records; say what is wrong with some."""
        from tracker.errors import TrackerError

        for number, record in found.records:
            self.records += 1
            progress("records", self.records, found.total)
            try:
                if isinstance(record, ValueError):
                    raise record
                self._note(found.fields(record))
                event = found.event(record)
            except (TrackerError, ValueError, TypeError, AttributeError) as error:
                self.problems += 1
                if self.problems <= _MOST_PROBLEMS:
                    say(f"record {number}: {getattr(error, 'message', '') or error}")
                continue
            if event.attributes is not None:
                self.types[str(event.attributes.type.name)] += 1

    def show(self) -> None:
        """Print what becomes of which field, and how many events there would be."""
        from tracker.cli.tables import Column, Table

        columns = (
            Column("FIELD", least=14),
            Column("BECOMES", least=24),
            Column("RECORDS", rank=2),
            Column("EXAMPLE", rank=3, least=8),
        )
        rows = sorted(self.fields.items(), key=lambda each: (not each[1].becomes, each[0]))
        table: Table[tuple[str, _Field]] = Table(columns, _row)
        table.print(rows, "no fields")
        kinds = ", ".join(f"{number:,} {kind}" for kind, number in self.types.most_common())
        told = f": {kinds}" if kinds else ""
        counts = f"{number_of(self.records, 'record')}, {number_of(self.types.total(), 'event')}"
        echo(f"{counts}{told}, {self.problems:,} refused")
        say("nothing was stored; run it without --dry-run")

    def _note(self, fields: Mapping[str, tuple[str, object]]) -> None:
        for name, (becomes, value) in fields.items():
            if value in (None, "", [], {}):
                continue
            known = self.fields.setdefault(name, _Field(becomes))
            known.records += 1
            known.example = known.example or _short(value)


def _row(each: tuple[str, _Field]) -> tuple[str, ...]:
    name, found = each
    return (name, found.becomes or "nothing: it is left out", f"{found.records}", found.example)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    line = " ".join(text.split())
    return line if len(line) <= _EXAMPLE else f"{line[: _EXAMPLE - 1]}…"


def _with(usual: Mapping[str, Any], record: dict[str, Any] | ValueError) -> dict[str, Any] | ValueError:
    return record if isinstance(record, ValueError) else {**usual, **record}


def address_of(place: str) -> str:
    """Return the address of a database, or that in the variable that is named."""
    if not place.startswith("env:"):
        return place
    name = place.removeprefix("env:")
    if name not in os.environ:
        raise CommandError(f"the environment variable {name} is not set", USAGE)
    return os.environ[name]


def _records(source: Source, product: Product) -> Iterator[dict[str, Any] | ValueError]:
    """Yield the records of a file: JSON, lines of JSON, or a table (CSV)."""
    first = source.stream.readline()
    beginning = first.removeprefix(BOM_UTF8).lstrip()
    if not beginning:
        rest = source.stream.read()
        beginning = first = rest.lstrip()
        if not first:
            return
    if not beginning.startswith((b"{", b"[")):
        yield from _rows(first, source, product)
        return
    for value in _beginning(beginning, source):
        yield from _within(value, product)
    for line in source.stream:
        try:
            values = _values(line)
        except ValueError as error:
            yield ValueError(f"not JSON: {error}")
        else:
            for value in values:
                yield from _within(value, product)


def _beginning(line: bytes, source: Source) -> list[Any]:
    """Return the JSON values in the first line, or in all of a file whose values are on several lines."""
    try:
        return _values(line)
    except ValueError:
        pass
    try:
        return _values(line + source.stream.read())
    except ValueError as error:
        raise CommandError(f"the file is not JSON: {error}", USAGE) from None


def _values(content: bytes) -> list[Any]:
    """Return the JSON values in a text, also those without lines between them, as `curl` appends pages.

    Raises:
        ValueError: It has something else.
    """
    try:
        return [orjson.loads(content)]
    except orjson.JSONDecodeError:
        text, values = content.decode().strip(), []
    decoder, end = json.JSONDecoder(), 0
    while end < len(text):
        if text[end].isspace():
            end += 1
        else:
            value, end = decoder.raw_decode(text, end)
            values.append(value)
    return values


def _within(value: object, product: Product) -> Iterator[dict[str, Any] | ValueError]:
    """Yield the records in a JSON value, and what is wrong with it."""
    try:
        yield from product.records(value)
    except ValueError as error:
        yield error


def _rows(first: bytes, source: Source, product: Product) -> Iterator[dict[str, Any] | ValueError]:
    def lines() -> Iterator[str]:
        for number, line in enumerate(chain([first], source.stream), 1):
            try:
                yield text_of(line, number)
            except ValueError as error:
                raise CommandError(str(error), USAGE) from None

    table = csv.DictReader(lines())
    if all(product.became(name) in ("", product.others) for name in table.fieldnames or ()):
        raise CommandError(f"the file is neither JSON nor a table with fields of {product.name}", USAGE)
    for row in table:
        if None in row:
            yield ValueError("the row has more values than the table has columns")
        else:
            yield {name: value for name, value in row.items() if value}
