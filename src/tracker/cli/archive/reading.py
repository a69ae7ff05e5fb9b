"""Lines of JSON, read from a file and sent to a server in batches, several at a time."""

from __future__ import annotations

import gzip
import io
import re
import sys
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from tracker.cli.exits import USAGE, CommandError
from tracker.client.connection import ApiError, Connection
from tracker.client.rpcs import IMPORT_EVENTS
from tracker.errors import Code, FieldViolation

_EVENTS = 250
"""Events of a batch: few enough not to delay other callers, enough to be worth a call."""

_BYTES = 2**20
"""Bytes of a batch of several events."""

_LARGEST = 4 * 2**20 - 1_024
"""Bytes of the largest event: those of a request, less the envelope."""

_LONGEST = 64 * 2**20
"""Bytes of the longest line, which may be a list of events."""

_AT_ONCE = 6
"""Concurrent calls: a server decodes one while it stores another."""

_ANSWER = 30.0
"""Seconds that an answer may take."""

_PATIENCE = 60.0
"""Seconds for which a call without an answer is repeated."""

_NAMED = re.compile(r"events\[(\d+)\]\.?")


class Problem(NamedTuple):
    """A line that is not imported, and why."""

    line: int
    message: str


@dataclass(slots=True)
class Batch:
    """Events as they were written, the line number of each, and lines that are not events.

    `position` is the number of bytes read of the file. A batch that continues events of earlier ones is sent
    `alone`, after them.
    """

    events: list[bytes] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    position: int = 0
    alone: bool = False
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    """What the idempotency keys of its calls begin with."""


class Source(NamedTuple):
    """A source of lines; `size` is that of the file, None if it is unknown."""

    stream: BinaryIO
    size: int | None
    position: Callable[[], int]


@contextmanager
def opened(name: str) -> Iterator[Source]:
    """Open a file, compressed if its name ends in .gz, or standard input."""
    if name == "-":
        yield Source(sys.stdin.buffer, None, lambda: 0)
        return
    try:
        with Path(name).open("rb") as file:
            packed = name.endswith(".gz")
            stream = io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file
            yield Source(stream, Path(name).stat().st_size, file.tell)
    except (gzip.BadGzipFile, zlib.error):
        raise CommandError(f"{name} can't be read: it is not what gzip writes", USAGE) from None
    except EOFError:
        raise CommandError(f"{name} can't be read: it is cut off", USAGE) from None
    except OSError as error:
        raise CommandError(f"{name} can't be read: {error.strerror or error}", USAGE) from None


def batches(found: Iterable[tuple[int, bytes | ValueError]], position: Callable[[], int]) -> Iterator[Batch]:
    """Yield events as they are written, and errors, each with the number of its line, in batches.

    `position` returns how much of the file was read.
    """
    batch, size = Batch(), 0
    for number, event in found:
        if isinstance(event, bytes):
            if batch.events and size + len(event) > _BYTES:
                yield batch
                batch, size = Batch(), 0
            batch.alone |= b'"changelogFrom"' in event
            batch.events.append(event)
            batch.lines.append(number)
            size += len(event)
        else:
            batch.problems.append(Problem(number, str(event)))
        batch.position = position()
        if len(batch.events) + len(batch.problems) >= _EVENTS:
            yield batch
            batch, size = Batch(), 0
    if batch.events or batch.problems:
        yield batch


def events_in(stream: BinaryIO) -> Iterator[tuple[int, bytes | ValueError]]:
    """Yield events and errors of other lines, each with its line number."""
    number, before = 0, None
    while line := stream.readline(_LONGEST):
        number += 1
        if not line.endswith(b"\n") and len(line) == _LONGEST:
            while (rest := stream.readline(_LONGEST)) and not rest.endswith(b"\n"):
                pass  # the rest of the line
        try:
            for event, text in _events_of(line.strip()):
                before = _continued(before, event)
                yield number, text
        except ValueError as error:
            yield number, error


class _Entries(NamedTuple):
    """An event, and how many entries of its changelog have been read."""

    event: str
    number: int


def _continued(before: _Entries | None, event: dict[str, Any]) -> _Entries:
    """Return the entries up to an event, which may continue the changelog of the one `before` it.

    Raises:
        ValueError: Lines between the two are missing. The first line of a file may continue another one.
    """
    name, first = "", 0
    match event:
        case {"changelogFrom": int() as first, "metadata": {"id": str() as name}}:
            known = first if before is None else before.number if before.event == name else 0
            if first > known:
                raise ValueError(f"entries {known} to {first} of the changelog of {name} are missing")
        case {"metadata": {"id": str() as name}}:
            pass
    entries = event.get("changelog")
    return _Entries(name, first + len(entries) if isinstance(entries, list) else first)


def _events_of(line: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """Return the events of a line, each with its text: one, those of a list response, or none.

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
    events = [(value, line)]
    if "title" not in value and isinstance(listed := value.get("events"), list):
        events = [(event if isinstance(event, dict) else {}, orjson.dumps(event)) for event in listed]
    if any(len(text) > _LARGEST for _, text in events):
        raise ValueError("the event is larger than 4 MiB, which no call can bring")
    return events


class Outcome(NamedTuple):
    """The outcome of a batch: the number of events by outcome, and problems in the order of their lines."""

    counts: Mapping[str, int]
    problems: Sequence[Problem]
    position: int
    size: int | None = None
    """That of the file."""


def outcomes(
    connection: Connection,
    batches: Iterable[Batch],
    *,
    overwrite: bool = False,
    there: Collection[str] = (),
    noun: str = "line",
) -> Iterator[Outcome]:
    """Import batches, and yield the outcome of each, in their order.

    Events that are refused for the reasons in `there` are there already. `noun` is what is numbered.
    """
    way = _Way(overwrite, there, noun)
    under_way: deque[tuple[Batch, Future[Outcome]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for batch in batches:
                while batch.alone and under_way:
                    yield _outcome(connection, *under_way.popleft(), way)
                under_way.append((batch, pool.submit(_imported, connection, batch, way)))
                if len(under_way) > _AT_ONCE:
                    yield _outcome(connection, *under_way.popleft(), way)
            while under_way:
                yield _outcome(connection, *under_way.popleft(), way)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class _Way(NamedTuple):
    overwrite: bool
    there: Collection[str]
    noun: str


def _outcome(connection: Connection, batch: Batch, sent: Future[Outcome], way: _Way) -> Outcome:
    """Return the outcome of a batch; without an answer it is sent again here, where Ctrl-C can end that."""
    try:
        return sent.result()
    except ApiError as error:
        if error.code is not Code.UNAVAILABLE:
            raise
    return _imported(connection, batch, way, patience=_PATIENCE)


def _imported(connection: Connection, batch: Batch, way: _Way, *, patience: float = 0.0) -> Outcome:
    """Import a batch; if the server refuses all of its events because of some, retry without those."""
    counts = {"stored": 0, "there already": 0, "replaced": 0}
    problems = list(batch.problems)
    waiting = [list(range(len(batch.events)))] if batch.events else []
    while waiting:
        part = waiting.pop()
        events = b",".join(batch.events[place] for place in part)
        try:
            answer = connection.call(
                IMPORT_EVENTS,
                b'{"overwrite":%s,"events":[%s]}' % (b"true" if way.overwrite else b"false", events),
                timeout=_ANSWER,
                patience=patience,
                # A repetition that overwrites must not undo what others have changed since.
                idempotency_key=f"{batch.key}.{part[0]}.{len(part)}" if way.overwrite else None,
            )
        except ApiError as error:
            if error.code is not Code.INVALID_ARGUMENT:
                first, last = batch.lines[part[0]], batch.lines[part[-1]]
                raise replace(error, message=f"{way.noun}s {first} to {last}: {error.message}") from None
            wrong = _blamed(error.violations)
            if wrong:
                left = [place for number, place in enumerate(part) if number not in wrong]
                waiting += [left] if left else []
            elif len(part) > 1:
                half = len(part) // 2
                waiting += [part[half:], part[:half]]
            else:
                wrong = {0: error.message}
        else:
            counts["stored"] += answer.stored
            counts["there already"] += answer.unchanged
            counts["replaced"] += answer.replaced
            wrong = {each.index: each.message for each in answer.refused if each.reason not in way.there}
            counts["there already"] += len(answer.refused) - len(wrong)
        problems += [Problem(batch.lines[part[number]], why) for number, why in wrong.items()]
    return Outcome({**counts, "refused": len(problems)}, sorted(problems), batch.position)


def _blamed(violations: Iterable[FieldViolation]) -> dict[int, str]:
    """Return what is wrong with events, by their places in the request."""
    wrong: dict[int, str] = {}
    for violation in violations:
        named = _NAMED.match(violation.field)
        if named is not None:
            within = FieldViolation(
                violation.field.removeprefix(named[0]), violation.description.removeprefix(named[0])
            )
            place = int(named[1])
            wrong[place] = "; ".join(filter(None, (wrong.get(place), within.sentence)))
    return wrong
