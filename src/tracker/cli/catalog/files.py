"""The files that describe the catalog: YAML and JSON, with one or several documents each."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tracker.cli.yaml_text import YamlError, from_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracker.transcoding.json_text import JsonValue

STDIN = Path("-")

_JSON = ".json"
_SPACE = re.compile(r"\s*")
_SUFFIXES = (".yaml", ".yml", _JSON)


class Entry(NamedTuple):
    """The description of an entry in a file; `place` is the file and the document."""

    place: str
    value: JsonValue


class FileError(Exception):
    """A file can't be read; the message is one line with its name."""


def entries_at(path: Path) -> Iterator[Entry]:
    """Yield the entries of a file, of all files below a folder, or of standard input.

    A document is an entry, a list of entries, or an answer of the API.

    Raises:
        FileError: A file can't be read, or a folder has none.
    """
    for file in _files(path):
        name = "standard input" if file == STDIN else str(file)
        for number, document in enumerate(_documents(file, name), start=1):
            place, found = f"{name}, document {number}", _entries(document)
            for position, value in enumerate(found, start=1):
                yield Entry(f"{place}, entry {position}" if len(found) > 1 else place, value)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
    if not found:
        raise FileError(f"{path}: expected files with {', '.join(_SUFFIXES)}, found none")
    return found


def _documents(file: Path, name: str) -> Iterator[JsonValue]:
    try:
        text = (sys.stdin.buffer.read() if file == STDIN else file.read_bytes()).decode("utf-8-sig")
    except OSError as error:
        raise FileError(f"{name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FileError(f"{name}: not UTF-8 at byte {error.start}") from None
    try:
        yield from _json_documents(text)
    except (ValueError, RecursionError) as error:  # not JSON; YAML may begin like it
        if file.suffix == _JSON:
            raise FileError(f"{name}: {error}") from None
        try:
            yield from from_yaml(text)
        except YamlError as wrong:
            raise FileError(f"{name}: {wrong}") from None


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
        raise ValueError(f"key {twice!r} stands twice")
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
