"""The events that a query finds, written page by page to a file that an interrupted export can continue."""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import orjson
import typer
from protobuf.wkt import UInt32Value

from tracker.cli.exits import USAGE, CommandError
from tracker.cli.printing import echo, json_text, shown_progress
from tracker.client.connection import ApiError, Connection
from tracker.client.rpcs import GET_EVENT_CHANGELOG, SEARCH_EVENTS
from tracker.errors import Code
from tracker.number_text import number_of

Json: TypeAlias = dict[str, Any]

_PAGE = 1_000
"""Events of a page."""

_LINE = 2**20
"""Bytes of a line from which on the changelog is continued on the next one."""

_SECONDS = 60.0
"""How long an answer may take, and for how long a call without one is repeated."""

_EVER = "0001-01-01"
"""The first day of the calendar: a search needs a filter, and this one matches all events."""


class Wanted(NamedTuple):
    """The query and the order of the events."""

    query: str
    order: str


def print_events(connection: Connection, wanted: Wanted) -> None:
    """Print the wanted events."""
    for page in _pages(connection, wanted, ""):
        for line in page.lines:
            if sys.stdout.isatty():
                typer.echo(json_text(line.decode()), nl=False)
            else:
                sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def write_events(connection: Connection, wanted: Wanted, path: Path, *, resume: bool) -> None:
    """Write the wanted events to a file, or the rest of them if an interrupted export is resumed."""
    began = time.monotonic()
    with _growing(path, wanted, resume=resume) as file, shown_progress() as progress:
        before = file.place.events
        for page in _pages(connection, wanted, file.place.token):
            file.add(page)
            progress("events", file.place.events, max(page.total, file.place.events))
    written = file.place.events - before
    rate = written / (time.monotonic() - began)
    resumed = f", {before:,} of them before" if before else ""
    echo(f"{path} has {number_of(file.place.events, 'event')}{resumed}, {rate:,.0f} a second")


class _Page(NamedTuple):
    """Events as lines, their number, the number of all matches, and the token of the next page."""

    lines: Iterator[bytes]
    events: int
    total: int
    next_token: str


def _pages(connection: Connection, wanted: Wanted, token: str) -> Iterator[_Page]:
    """Yield the pages of the wanted events, starting with that of a token."""
    while True:
        request = SEARCH_EVENTS.request(
            query=wanted.query,
            start_date="" if wanted.query else _EVER,
            order_by=wanted.order,
            per_page=UInt32Value(value=_PAGE),
            page_token=token,
        )
        answer = connection.exchange(SEARCH_EVENTS, request, timeout=_SECONDS, patience=_SECONDS)
        match answer:
            case {"events": list() as events, "totalCount": int() as total, "nextPageToken": str() as token}:
                lines = (line for event in events for line in _lines(connection, event))
                yield _Page(lines, len(events), total, token)
            case _:
                raise CommandError("the server answered, but not as a Tracker server does")
        if not token:
            return


def _lines(connection: Connection, event: Json) -> Iterator[bytes]:
    """Yield an event as lines: those after the first continue a long changelog."""
    if "changelogTotal" not in event:
        yield _line(event)
        return
    line = {name: value for name, value in event.items() if name != "changelogTotal"} | {"changelog": []}
    written, size = 0, len(_line(line))
    for entry in _changelog(connection, event["metadata"]["id"]):
        if size > _LINE and line["changelog"]:
            yield _line(line)
            written += len(line["changelog"])
            line = {"title": event["title"], "metadata": event["metadata"], "changelogFrom": written}
            line["changelog"], size = [], 0
        line["changelog"].append(entry)
        size += len(_line(entry))
    yield _line(line)


def _changelog(connection: Connection, event_id: str) -> Iterator[Json]:
    """Yield the whole changelog of an event, page by page; none if the event was deleted meanwhile."""
    token = ""
    while True:
        asked = GET_EVENT_CHANGELOG.request(id=event_id, per_page=UInt32Value(value=_PAGE), page_token=token)
        try:
            answer: Json = connection.exchange(
                GET_EVENT_CHANGELOG, asked, timeout=_SECONDS, patience=_SECONDS
            )
        except ApiError as error:
            if error.code is Code.NOT_FOUND:
                return
            raise
        yield from answer["changelog"]
        token = answer["nextPageToken"]
        if not token:
            return


def _line(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


class _Place(NamedTuple):
    """The state of an export: the token of the next page, and the size of the file before it."""

    token: str = ""
    bytes: int = 0
    events: int = 0


@dataclass(slots=True)
class _Growing:
    """A file that is being written; `place` is its state."""

    path: Path
    file: BinaryIO
    wanted: Wanted
    place: _Place

    def add(self, page: _Page) -> None:
        """Add a page, so that an export that ends now can continue after it.

        Each page is compressed by itself; a file of such pages is valid gzip.
        """
        packed = self.path.name.endswith(".gz")
        if packed:
            with gzip.GzipFile("", "wb", fileobj=self.file, mtime=0) as member:
                member.writelines(page.lines)
        else:
            self.file.writelines(page.lines)
        self.file.flush()
        os.fsync(self.file.fileno())
        place = self.place
        self.place = _Place(page.next_token, self.file.tell(), place.events + page.events)
        if page.next_token:
            self.note()

    def note(self) -> None:
        """Write the state to a file next to it."""
        note = _note_of(self.path)
        new = note.with_name(f"{note.name}.new")
        new.write_text(json.dumps({**self.wanted._asdict(), **self.place._asdict()}) + "\n", "utf-8")
        new.replace(note)


@contextmanager
def _growing(path: Path, wanted: Wanted, *, resume: bool) -> Iterator[_Growing]:
    """Open a file for writing, after what an interrupted export wrote if that is resumed."""
    note = _note_of(path)
    try:
        place = _place_in(note, path, wanted) if resume and note.exists() else _Place()
        with path.open("r+b" if place.bytes else "wb") as file:
            file.truncate(place.bytes)
            file.seek(place.bytes)
            under_way = _Growing(path, file, wanted, place)
            under_way.note()
            yield under_way
        note.unlink()
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error.strerror}") from None


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.unfinished")


def _place_in(note: Path, path: Path, wanted: Wanted) -> _Place:
    """Return the state of an interrupted export."""
    try:
        state = json.loads(note.read_text("utf-8"))
        begun = type(wanted)(state["query"], state["order"])
        place = _Place(state["token"], state["bytes"], state["events"])
    except (ValueError, LookupError, TypeError):
        raise CommandError(f"{note} can't be understood; export without --resume", USAGE) from None
    if begun != wanted:
        what = "all events" if not begun.query else f"the query {begun.query!r}"
        order = "newest" if begun.order.startswith("-") else "oldest"
        raise CommandError(
            f"{path} was begun with {what}, the {order} first; give the same again, or leave out --resume",
            USAGE,
        )
    if place.bytes and (not path.exists() or path.stat().st_size < place.bytes):
        raise CommandError(f"{path} has lost what was written to it; export without --resume", USAGE)
    return place
