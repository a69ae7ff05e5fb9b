"""Reads descriptions of entries from files, and finds mistakes in them before anything is sent."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from protobuf import message_from_json_value

from tracker.cli.catalog.backstage import API_VERSION, entry_of, is_entity, kind_of
from tracker.cli.file_text import text_of
from tracker.cli.printing import fields_of
from tracker.cli.yaml_text import YamlError, from_yaml
from tracker.errors import TrackerError
from tracker.pb import catalog_pb
from tracker.transcoding.bindings import respell
from tracker.transcoding.json_request import make_message, normalise
from tracker.transcoding.json_text import JsonValue
from tracker.transcoding.rules import check_rules
from tracker.transcoding.unknown import drop_unknown_keys

_STDIN = Path("-")

_JSON = ".json"
_SPACE = re.compile(r"\s*")
_SUFFIXES = (".yaml", ".yml", _JSON)

_CATALOG = catalog_pb.Catalog.desc()
_REQUESTS = (catalog_pb.CreateUpdateCatalogRequest, catalog_pb.UpdateVersionsRequest)
"""The requests that send an entry; their rules check it."""


class Described(NamedTuple):
    """An entry as a file describes it: its fields in the JSON of the proto, without empty ones.

    `place` is the file and the document; `given` names all fields in the file, including empty ones.
    """

    place: str
    name: str
    fields: dict[str, JsonValue]
    given: frozenset[str]


class Mistakes(Exception):  # noqa: N818 - what was found, one line each
    """The files can't be read or applied; `lines` say where and why, one line a mistake."""

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def read(files: Iterable[Path]) -> list[Described]:
    """Return the entries that files and folders describe, in order.

    Raises:
        Mistakes: Some are wrong; all mistakes are reported.
    """
    return _read(files, _entries_at)


def read_backstage(files: Iterable[Path]) -> list[Described]:
    """Return the entries that the components in files of Backstage are, in order.

    Of a folder, these are the files named `catalog-info.yaml` or the like, also in folders below it.

    Raises:
        Mistakes: Some are wrong; all mistakes are reported.
    """
    entries = _read(files, _components_at)
    return [each._replace(given=each.given - {"version"}) for each in entries]


def _read(files: Iterable[Path], at: Callable[[Path], Iterator[tuple[str, JsonValue]]]) -> list[Described]:
    found: dict[str, Described] = {}
    lines: list[str] = []
    for file in files:
        try:
            for place, value in at(file):
                try:
                    described = _described(place, value)
                except Mistakes as mistakes:
                    lines += mistakes.lines
                    continue
                first = found.setdefault(described.name, described)
                if first is not described:
                    lines.append(f"{described.place}: is already in {first.place}")
        except Mistakes as mistakes:
            lines += mistakes.lines
    if lines:
        raise Mistakes(*lines)
    return list(found.values())


def _entries_at(path: Path) -> Iterator[tuple[str, JsonValue]]:
    """Yield the entries of a file, of all files below a folder, or of standard input, each with its place.

    A document is an entry, a list of entries, or an answer of the API.
    """
    for file in _files(path):
        name = "standard input" if file == _STDIN else str(file)
        for number, document in enumerate(_documents(file, name), start=1):
            place, found = f"{name}, document {number}", _entries(document)
            for position, value in enumerate(found, start=1):
                yield f"{place}, entry {position}" if len(found) > 1 else place, value


def _components_at(path: Path) -> Iterator[tuple[str, JsonValue]]:
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("catalog-info*.y*ml") if file.is_file())
        if not files:
            raise Mistakes(f"{path}: expected files named catalog-info.yaml, found none")
    for file in files:
        name = "standard input" if file == _STDIN else str(file)
        for number, document in enumerate(_documents(file, name), start=1):
            place = f"{name}, document {number}"
            if document is not None and not is_entity(document):
                raise Mistakes(f"{place}: expected an entity of Backstage, with apiVersion {API_VERSION}")
            if isinstance(document, dict) and kind_of(document) == "Component":
                yield place, entry_of(document)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        raise Mistakes(f"{path}: expected files with {', '.join(_SUFFIXES)}, found none")
    return found


def _documents(file: Path, name: str) -> Iterator[JsonValue]:
    try:
        text = text_of(sys.stdin.buffer.read() if file == _STDIN else file.read_bytes())
    except OSError as error:
        raise Mistakes(f"{name}: {error.strerror}") from None
    except ValueError as error:
        raise Mistakes(f"{name}: {error}") from None
    try:
        yield from _json_documents(text)
    except (ValueError, RecursionError) as error:  # not JSON; YAML may begin like it
        if file.suffix == _JSON:
            raise Mistakes(f"{name}: {error}") from None
        try:
            yield from from_yaml(text)
        except YamlError as wrong:
            raise Mistakes(f"{name}: {wrong}") from None


def _json_documents(text: str) -> list[JsonValue]:
    """Return the documents of a JSON text, with any space between them; numbers stay text as written."""
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_int=str, parse_float=str)
    found: list[JsonValue] = []
    at = _after_space(text, 0)
    while at < len(text):
        value, end = decoder.raw_decode(text, at)
        found.append(value)
        at = _after_space(text, end)
    if "\\u" in text:
        json.dumps(found, ensure_ascii=False).encode()  # raises where a surrogate has lost its pair
    return found


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return at if space is None else space.end()


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"key {twice!r} is given twice")
    return made


def _entries(document: JsonValue) -> list[JsonValue]:
    match document:
        case None:
            return []
        case list():
            return document
        case {"catalogs": list(found)}:
            return found
        case {"catalog": dict(found)}:
            return [found]
        case _:
            return [document]


_PINNED = frozenset({"versionPinned", "version_pinned"})
_SWITCH: Mapping[str, JsonValue] = {"true": True, "false": False}


def _described(place: str, value: JsonValue) -> Described:
    name = value.get("name") if isinstance(value, dict) else None
    if isinstance(name, str) and name:
        place += f" ({name})"
    if unknown := drop_unknown_keys(_CATALOG, value):
        raise Mistakes(*(f"{place}: {key}" for key in unknown))
    if isinstance(value, dict):  # YAML has texts alone
        value |= {name: _SWITCH.get(str(value[name]), value[name]) for name in _PINNED & value.keys()}
    try:
        normalised, _ = normalise(_CATALOG, value)
        fields = fields_of(make_message(catalog_pb.Catalog, normalised))
        for request in _REQUESTS:
            check_rules(message_from_json_value(request, fields, ignore_unknown_fields=True))
    except TrackerError as error:
        violations = respell(error, _CATALOG, value).violations
        raise Mistakes(*(f"{place}: {violation.sentence}" for violation in violations)) from None
    given = value if isinstance(value, dict) else {}
    spelled = {field.name: field.json_name for field in _CATALOG.fields}
    return Described(
        place,
        str(fields["name"]),
        fields,
        frozenset(spelled.get(key, key) for key, item in given.items() if item is not None),
    )
