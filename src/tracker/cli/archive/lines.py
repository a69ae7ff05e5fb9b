"""Lines of JSON, read from a file and put together to what one call imports."""

from __future__ import annotations

import gzip
import io
import sys
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
"""What stands for standard input in the place of a file."""

_EVENTS = 250
"""Events of a batch: so few that a server's other callers need not wait, enough to be worth a call."""

_BYTES = 2**20
"""Bytes of a batch, but for its last event."""

_LARGEST = 4 * 2**20 - 1_024
"""Bytes of the largest event: those of a request, less what stands around it."""

_LONGEST = 64 * 2**20
"""Bytes of the longest line, which may have a list of events."""


class Problem(NamedTuple):
    """A line that is not imported, and why."""

    line: int
    message: str


@dataclass(slots=True)
class Batch:
    """Events as they were written, the number of the line of each, and lines that are none.

    `position` is how far the file was read, in bytes.
    """

    events: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    position: int = 0


@dataclass(frozen=True, slots=True)
class Source:
    """Where lines come from; `size` is that of the file, None where nobody knows."""

    stream: BinaryIO
    size: int | None
    position: Callable[[], int]


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """Open a file, packed with gzip if its name says so, or standard input.

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
    """Give the events of all lines, as they are written, in batches."""
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
    """Give the events, and what is wrong with lines that are none, with the numbers of their lines."""
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
    """Pass over what is left of a line."""
    while (rest := stream.readline(_LONGEST)) and not rest.endswith(b"\n"):
        pass


def _events(line: bytes) -> list[bytes]:
    """Return the events of a line, as they are written: one, those of a list that a server answered, or none.

    Raises:
        ValueError: The line is no JSON object, or too long.
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
