"""The index of words of titles and messages and of other values, updated soon after each commit.

It is given the words of Tracker's rules, joined by spaces, so a phrase means the same to it as to a query. A
value can be any text and is case-sensitive, so its word is a digest of the field and the value. Values that
have a column are also indexed, for queries that ask for words or other values too.

The database records which events are missing or outdated in the index; the others are as in their documents.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import apsw
import orjson

from tracker.domain.query.fields import FIELDS, LABELS, TERMS, TERMS_DIGEST, Kind, label
from tracker.domain.query.matching import MAX_WORD, RULES, words
from tracker.stores.sqlite.event_records import places
from tracker.stores.sqlite.transaction import Bulk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tracker.stores.sqlite.writer import Writer
    from tracker.supervision import Supervisor

NAMED: Final = "event_words"
"""The name of the index in the result of an integrity check."""

UNREADABLE: Final = "unreadable"
"""The word of an event whose document can't be read: it makes any query for a value fail."""

REST_SECONDS: Final = 1.0
"""The pause in which changes accumulate, to be indexed together in less time."""

_STEP_SECONDS: Final = 0.005
_TASK: Final = "word_index"
_STEP_EVENTS: Final = 500
_STEP_OUTDATED: Final = 50
"""As above, of events that are outdated: each costs more."""

_MERGED_PAGES: Final = 32
"""Pages of the index that a step merges, in some milliseconds."""

_STEP_BYTES: Final = 2**19
_MOST_UNINDEXED: Final = 10_000
_UP_TO: Final = "SELECT up_to FROM words_indexed"

_NEW = "SELECT number, CAST(document AS BLOB) FROM events WHERE number > ? ORDER BY number LIMIT ?"
_OUTDATED = (
    "SELECT outdated.number, CAST(document AS BLOB) FROM words_outdated outdated"
    " LEFT JOIN events USING (number) ORDER BY outdated.number LIMIT ?"
)


_PATHS = ", ".join(
    f"'$.{'.'.join(path)}'"
    for path in (
        *(field.path for field in FIELDS if field.term or (field.kind is Kind.PROSE and field.path)),
        LABELS,
    )
)
_MADE_WITH: Final = f"{RULES}, {TERMS_DIGEST}"
_ON_UPDATE: Final = f"""
CREATE TRIGGER words_of_updated AFTER UPDATE OF document ON events
WHEN new.number <= (SELECT up_to FROM words_indexed) AND CASE
    WHEN json_valid(old.document) AND json_valid(new.document)
    THEN json_extract(old.document, {_PATHS}) IS NOT json_extract(new.document, {_PATHS})
    ELSE true
END
BEGIN
    INSERT OR IGNORE INTO words_outdated VALUES (new.number);
END
"""
"""Marks an event as outdated when indexed parts of it change."""

_DIGEST_BYTES: Final = 12
_OF_MESSAGE: Final = defaultdict[str, list[tuple[str, str]]](list)
for _field in TERMS:
    _OF_MESSAGE[_field.path[0]].append((_field.name, _field.path[1]))

_Indexed: TypeAlias = "tuple[int, str, str, str]"
"""An event's number, the words of its title and of its message, and its terms."""


class DamagedError(Exception):
    """The index can't be read."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The number of the last indexed event, and how many events are outdated."""

    up_to: int
    outdated: int
    unindexed: int
    """The number of events that are missing or outdated, counted up to a limit."""


def progress(db: apsw.Connection, most: int) -> Progress:
    """Return the progress of the index; `most` is the limit of the counts."""
    up_to = int(db.execute(_UP_TO).get)
    outdated = int(db.execute("SELECT count(*) FROM (SELECT 1 FROM words_outdated LIMIT ?)", (most,)).get)
    new = "SELECT count(*) FROM (SELECT 1 FROM events WHERE number > ? LIMIT ?)"
    return Progress(up_to, outdated, outdated + int(db.execute(new, (up_to, most)).get))


def prepared(db: apsw.Connection) -> Callable[[apsw.Connection], None] | None:
    """Read some events that are missing or outdated; return the step that indexes them, or None.

    Reading and the step take some milliseconds each, and belong in one transaction.
    """
    rows = _some(db.execute(_OUTDATED, (_STEP_OUTDATED,)))
    if rows:
        return partial(_write, events=_indexed(rows), outdated=[number for number, _ in rows])
    rows = _some(db.execute(_NEW, (db.execute(_UP_TO).get, _STEP_EVENTS)))
    return partial(_write, events=_indexed(rows), up_to=rows[-1][0]) if rows else None


def advance(db: apsw.Connection) -> bool:
    """Index some events that are missing or outdated; return whether there were any."""
    step = prepared(db)
    if step is not None:
        step(db)
        while merge(db):
            pass
    return step is not None


def merge(db: apsw.Connection) -> bool:
    """Merge a part of the index; return whether there was anything to merge.

    SQLite would do it with some changes, all at once, for which the others would wait (`automerge`).
    """
    before = db.total_changes()
    db.execute(f"INSERT INTO event_words (event_words, rank) VALUES ('merge', {_MERGED_PAGES})")
    return db.total_changes() - before > 1


def reset(db: apsw.Connection) -> None:
    """Clear the index, so that all events are indexed again by the current rules and fields."""
    db.execute("INSERT INTO event_words (event_words) VALUES ('delete-all')")
    db.execute("DELETE FROM words_outdated")
    db.execute("UPDATE words_indexed SET up_to = 0, made_with = ?", (_MADE_WITH,))
    db.execute("DROP TRIGGER IF EXISTS words_of_updated")
    db.execute(_ON_UPDATE)


def is_usable(db: apsw.Connection) -> bool:
    """Return whether the index was made by the current rules and fields, and has all but outdated events.

    An index that lacks many events counts as usable: counting what it lacks would take too long for a start.
    """
    try:
        if db.execute("SELECT made_with FROM words_indexed").get != _MADE_WITH:
            return False
        done = progress(db, _MOST_UNINDEXED)
        if done.unindexed >= _MOST_UNINDEXED:
            return True
        events = int(db.execute("SELECT ifnull(sum(events), 0) FROM facets").get)
        outdated = int(db.execute("SELECT count(*) FROM events JOIN words_outdated USING (number)").get)
        indexed = "FROM event_words_docsize WHERE id NOT IN (SELECT number FROM words_outdated)"
        new = done.unindexed - done.outdated
        return events - new - outdated == int(db.execute(f"SELECT count(*) {indexed}").get)
    except apsw.CorruptError:
        return False


class WordIndexer:
    """Indexes committed changes, in steps between other changes.

    Each step blocks the event loop for a few milliseconds, and a pause of the same length follows. Until a
    file is indexed, documents are searched.
    """

    def __init__(self, writer: Writer, tasks: Supervisor) -> None:
        self._writer = writer
        self._tasks = tasks
        self._changed = asyncio.Event()
        self._damaged = False

    def start(self) -> None:
        """Start indexing, also of the changes of earlier runs."""
        self._writer.notify(self._changed.set)
        self._tasks.repeat(_TASK, self._index_changes)

    def rebuild(self) -> None:
        """Index all events again, since the index is damaged."""
        self._damaged = True
        self._changed.set()

    async def close(self) -> None:
        """Stop; the remaining events are indexed when the file is opened again."""
        await self._tasks.stop(_TASK)

    async def _index_changes(self) -> None:
        """Index some events, then wait until there are more."""
        self._changed.clear()
        more = await self._writer.change(self._step)
        while more and await self._writer.change(lambda _: Bulk(self._merge)):  # noqa: ASYNC110 - a pause between steps
            await asyncio.sleep(_STEP_SECONDS)
        if not more:
            await self._changed.wait()
        await asyncio.sleep(_STEP_SECONDS if more else REST_SECONDS)

    def _step(self, db: apsw.Connection) -> Bulk[bool] | bool:
        """Index some events; return whether more may be left."""
        if self._damaged:
            reset(db)
            self._damaged = False
        try:
            step = prepared(db)
        except apsw.CorruptError:
            self._damaged = True
            return True
        return False if step is None else Bulk(partial(self._index, step))

    def _merge(self, db: apsw.Connection) -> bool:
        try:
            return merge(db)
        except apsw.CorruptError:
            self._damaged = True
            return False

    def _index(self, step: Callable[[apsw.Connection], None], db: apsw.Connection) -> bool:
        try:
            step(db)
        except apsw.CorruptError:
            self._damaged = True
        return True


def _some(rows: apsw.Cursor) -> Sequence[tuple[int, bytes | None]]:
    """Return rows until their documents reach the size of a step; at least one, if there is one."""
    taken: list[tuple[int, bytes | None]] = []
    weight = 0
    for number, document in rows:
        taken.append((number, document))
        weight += len(document or b"")
        if weight >= _STEP_BYTES:
            rows.close()
            break
    return taken


def _write(
    db: apsw.Connection, *, events: Sequence[_Indexed], outdated: Sequence[int] = (), up_to: int | None = None
) -> None:
    """Index events, also in place of outdated ones, some of which may be deleted."""
    these = f"({', '.join(map(str, outdated))})"
    db.execute(f"DELETE FROM event_words WHERE rowid IN {these}", can_cache=False)
    if events:
        sql = f"INSERT INTO event_words (rowid, title, message, terms) VALUES {places(len(events), 4)}"
        db.execute(sql, tuple(chain.from_iterable(events)))
    db.execute(f"DELETE FROM words_outdated WHERE number IN {these}", can_cache=False)
    if up_to is not None:
        db.execute("UPDATE words_indexed SET up_to = ?", (up_to,))


def _indexed(rows: Sequence[tuple[int, bytes | None]]) -> Sequence[_Indexed]:
    return [(number, *_texts(document)) for number, document in rows if document is not None]


def _texts(document: bytes) -> tuple[str, str, str]:
    """Return the indexed texts of an event: the words of its title and of its message, and its terms.

    A document that can't be read is indexed with all its words: a search for one of them reports it.
    """
    try:
        stored = orjson.loads(document)
        message = stored.get("attributes", {}).get("message", "")
        return _words(stored.get("title", "")), _words(message), " ".join(_terms(stored))
    except (ValueError, AttributeError, TypeError):
        return _words(document.decode(errors="replace")), "", UNREADABLE


def _terms(stored: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words of the values in an event's document.

    Raises:
        AttributeError, TypeError: It is not the document of an event.
    """
    for message, names in _OF_MESSAGE.items():
        values = stored.get(message, {})
        for name, key in names:
            if value := values.get(key):
                for each in value if isinstance(value, list) else (value,):
                    yield value_word(name, each)
    for name, value in stored.get("attributes", {}).get("labels", {}).items():
        yield value_word(label(name).name, value)


@lru_cache(maxsize=16_384)
def value_word(field: str, value: str) -> str:
    """Return the word of a value of a field."""
    return blake2b(f"{field}\0{value}".encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()


def _words(text: str) -> str:
    """Return the words of a text for the index, which itself splits short ASCII texts by the same rules."""
    return text if text.isascii() and len(text) <= MAX_WORD else " ".join(words(text))
