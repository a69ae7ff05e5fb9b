"""Reads descriptions of entries, and finds mistakes in them before anything is sent."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from protobuf import (
    DescEnum,
    DescFieldValueEnum,
    DescFieldValueList,
    DescFieldValueMap,
    DescFieldValueMessage,
    DescMessage,
    message_from_json_value,
    message_to_json_value,
)

from tracker.cli.catalog.files import FileError, entries_at
from tracker.errors import TrackerError
from tracker.pb import catalog_pb
from tracker.transcoding.json_request import make_message, normalise
from tracker.transcoding.rules import Rules
from tracker.transcoding.spelling import respell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from protobuf import DescField, Message

    from tracker.cli.catalog.files import Entry
    from tracker.transcoding.json_text import JsonValue

_CATALOG = catalog_pb.Catalog.desc()
_REQUESTS = (catalog_pb.CreateUpdateCatalogRequest, catalog_pb.UpdateVersionsRequest)
"""The requests that send an entry; their rules check it."""


class Described(NamedTuple):
    """An entry as a file describes it: its fields in the JSON of the proto, without empty ones.

    `given` has the names of all fields of the file, including empty ones.
    """

    place: str
    name: str
    fields: dict[str, JsonValue]
    given: frozenset[str]


class Mistakes(Exception):  # noqa: N818  # what was found, one line each
    """The files can't be applied; `lines` say where and why, one line a mistake."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def read(files: Iterable[Path]) -> list[Described]:
    """Return the entries that files and folders describe, in order.

    Raises:
        Mistakes: Some are wrong; all mistakes are reported.
    """
    rules = Rules()
    found: dict[str, Described] = {}
    lines: list[str] = []
    for file in files:
        try:
            for entry in entries_at(file):
                try:
                    described = _described(entry, rules)
                except Mistakes as mistakes:
                    lines += mistakes.lines
                    continue
                first = found.setdefault(described.name, described)
                if first is not described:
                    lines.append(f"{described.place}: stands in {first.place} already")
        except FileError as error:
            lines.append(str(error))
    if lines:
        raise Mistakes(lines)
    return list(found.values())


def _described(entry: Entry, rules: Rules) -> Described:
    value, place = entry.value, entry.place
    name = value.get("name") if isinstance(value, dict) else None
    if isinstance(name, str) and name:
        place += f" ({name})"
    unknown = [*_unknown(_CATALOG, value, "")]
    if unknown:
        raise Mistakes([f"{place}: {line}" for line in unknown])
    try:
        fields = _json(make_message(catalog_pb.Catalog, normalise(_CATALOG, value)))
        for request in _REQUESTS:
            rules.check(message_from_json_value(request, fields, ignore_unknown_fields=True))
    except TrackerError as error:
        violations = respell(error, _CATALOG, value).violations
        raise Mistakes([f"{place}: {violation.sentence}" for violation in violations]) from None
    given = value if isinstance(value, dict) else {}
    spelled = {field.name: field.json_name for field in _CATALOG.fields}
    return Described(
        place,
        str(fields["name"]),
        fields,
        frozenset(spelled.get(key, key) for key, item in given.items() if item is not None),
    )


def _json(message: Message) -> dict[str, JsonValue]:
    value = message_to_json_value(message)
    return value if isinstance(value, dict) else {}


def _unknown(message: DescMessage, value: JsonValue, path: str) -> Iterator[str]:
    """Yield messages about keys and values that no proto has, which a server ignores."""
    if not isinstance(value, dict):
        return
    fields = {name: field for field in message.fields for name in (field.json_name, field.name)}
    for key, item in value.items():
        field = fields.get(key)
        if field is None:
            where = f"{path}: " if path else ""
            yield f"{where}unknown key {key!r}{_nearest(str(key), fields)}"
        else:
            yield from _unknown_in_field(field, item, f"{path}.{key}" if path else key)


def _unknown_in_field(field: DescField, value: JsonValue, path: str) -> Iterator[str]:
    match field.value, value:
        case DescFieldValueList(element=element), list():
            items = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
        case DescFieldValueMap(value=element), dict():
            items = [(f"{path}[{key}]", item) for key, item in value.items()]
        case DescFieldValueEnum(enum=element), _:
            items = [(path, value)]
        case DescFieldValueMessage(message=element), _:
            items = [(path, value)]
        case _:
            return
    for place, item in items:
        if isinstance(element, DescMessage):
            yield from _unknown(element, item, place)
        elif isinstance(element, DescEnum) and isinstance(item, str):
            names = {each.name.lower(): each.name for each in element.values}
            if item.lower() not in names and not item.isdecimal():
                known = ", ".join(each.name for each in element.values if each.number)
                yield f"{place}: expected one of {known}, got {item!r}{_nearest(item, names.values())}"


def _nearest(wrong: str, known: Iterable[str]) -> str:
    """Return `, did you mean …?` with the known name nearest to a wrong one, or `` if none is near."""
    names = {name.lower(): name for name in known}
    found = get_close_matches(wrong.lower(), names, n=1)
    return f", did you mean {names[found[0]]!r}?" if found else ""
