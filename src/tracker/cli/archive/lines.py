"""Lines of JSON, read from a file and batched for calls."""

from __future__ import annotations

import gzip
import io
import sys
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import orjson

from tracker.cli.errors import CommandError
from tracker.cli.exits import USAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STDIN = "-"
"""The name of standard input."""

_EVENTS = 250
"""Events of a batch: few enough not to delay other callers, enough to be worth a call."""

_BYTES = 2**20
"""Bytes of a batch without its last event."""

_LARGEST = 4 * 2**20 - 1_024
"""Bytes of the largest event: those of a request, less the envelope."""

_LONGEST = 64 * 2**20
"""Bytes of the longest line, which may be a list of events."""


class Problem(NamedTuple):
    """A line that is not imported, and why."""

    line: int
    message: str


@dataclass(slots=True)
class Batch:
    """Events as they were written, the line number of each, and lines that are not events.

    `position` is the number of bytes read of the file.
    """

    events: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    position: int = 0
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    """What the idempotency keys of its calls begin with."""


@dataclass(frozen=True, slots=True)
class Source:
    """A source of lines; `size` is that of the file, None if it is unknown."""

    stream: BinaryIO
    size: int | None
    position: Callable[[], int]


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """Open a file, compressed if its name ends in .gz, or standard input.

    Raises:
        CommandError: It can't be read.
    """
    if name == STDIN:
        yield Source(sys.stdin.buffer, None, lambda: 0)
        return
    try:
        with Path(name).open("rb") as file:
            packed = name.endswith(".gz")
            stream = io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
            yield Source(stream, Path(name).stat().st_size, file.tell)
    except (OSError, EOFError) as error:
        raise CommandError(f"{name} can't be read: {error}", USAGE) from None


def batches(source: Source) -> Iterator[Batch]:
    """Yield the events of all lines, as they are written, in batches."""
    batch, size = Batch(), 0
    for number, event in _found(source.stream):
        if isinstance(event, bytes):
            batch.events.append(event)
            batch.lines.append(number)
            size += len(event)
        else:
            batch.problems.append(Problem(number, str(event)))
        if len(batch.events) + len(batch.problems) >= _EVENTS or size >= _BYTES:
            batch.position = source.position()
            yield batch
            batch, size = Batch(), 0
    if batch.events or batch.problems:
        batch.position = source.position()
        yield batch


def _found(stream: BinaryIO) -> Iterator[tuple[int, bytes | ValueError]]:
    """Yield events and errors of other lines, each with its line number."""
    number = 0
    while line := stream.readline(_LONGEST):
        number += 1
        if not line.endswith(b"\n") and len(line) == _LONGEST:
            _skip_line(stream)
        try:
            for event in _events(line.strip()):
                yield number, event
        except ValueError as error:
            yield number, error


def _skip_line(stream: BinaryIO) -> None:
    """Skip the rest of a line."""
    while (rest := stream.readline(_LONGEST)) and not rest.endswith(b"\n"):
        pass


def _events(line: bytes) -> list[bytes]:
    """Return the events of a line, as they are written: one, those of a list response, or none.

    Raises:
        ValueError: The line is not a JSON object, or too long.
    """
    if not line:
        return []
    if len(line) >= _LONGEST - 1:
        raise ValueError("the line is longer than 64 MiB")
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("expected an event, a JSON object")  # noqa: TRY004 - a wrong line, not a wrong call
    events = [line]
    if "title" not in value and isinstance(listed := value.get("events"), list):
        events = [orjson.dumps(event) for event in listed]
    if any(len(event) > _LARGEST for event in events):
        raise ValueError("the event is larger than 4 MiB, which no call can bring")
    return events
