"""The words of titles and messages, in an array beside each event, by which free text finds it.

They make an event a candidate; its text then says whether it matches. An event whose words are not beside it,
because they are too many or it was stored before there were any, is always a candidate.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracker.domain.lifecycle import attributes_of
from tracker.domain.query.evaluation import phrase
from tracker.domain.query.fields import Kind
from tracker.domain.query.tree import And, Pattern, Term
from tracker.domain.query.words import words
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.stores.documents import parse
from tracker.stores.mongo import writes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.query import Node
    from tracker.stores.mongo.writes import Collection, Document

MOST_WORDS: Final = 256
"""Different words of an event up to which they are kept."""

_TOO_MANY: Final = ""
"""Stands for all words of an event that has too many."""

_UNKNOWN: Final = [_TOO_MANY, None]

HAVE_WORDS: Final = {"words": {"$nin": _UNKNOWN}}
"""The condition for the events that have their words beside them."""

LACK_WORDS: Final = {"words": {"$in": _UNKNOWN}}
"""The condition for those that don't."""


def words_of(event: event_pb.Event) -> Sequence[str]:
    """Return what is kept of the words of an event."""
    different = sorted({*words(event.title), *words(attributes_of(event).message)})
    return different if len(different) <= MOST_WORDS else [_TOO_MANY]


def condition(pattern: Pattern, *, known: bool) -> Document:
    """Return the condition for the events that may have a text, all or only those whose words are `known`."""
    asked = phrase(pattern)
    whole = asked.words[:-1] if asked.prefix else asked.words
    unknown = [] if known else _UNKNOWN
    parts: list[Document] = [{"words": {"$in": [word, *unknown]}} for word in dict.fromkeys(whole)]
    if asked.prefix:
        begun = {"words": {"$regex": f"^{re.escape(asked.words[-1])}"}}
        parts.append(begun if known else {"$or": [begun, LACK_WORDS]})
    return {"$and": parts} if parts else {}


def is_one_word(pattern: Pattern) -> bool:
    """Say whether a text is one word, or its beginning, which those beside an event tell for certain."""
    return len(phrase(pattern).words) == 1


def names_a_word(query: Node) -> bool:
    """Say whether all events that match have one and the same word: they can be walked in order by it."""
    for part in query.parts if isinstance(query, And) else (query,):
        match part:
            case Term(field, (Pattern() as only,)) if field.kind is Kind.PROSE:
                asked = phrase(only)
                if len(asked.words) > asked.prefix:
                    return True
            case _:
                continue
    return False


async def fill_in(events: Collection, stored: Document) -> None:
    """Put the words of an event beside it, unless it has changed since it was read.

    One that can't be read stays a candidate: who searches is told.
    """
    try:
        kept = words_of(parse(event_pb.Event, stored["_id"], stored["document"]))
    except TrackerError:
        kept = [_TOO_MANY]
    same: Document = {"_id": stored["_id"], "rev": stored["rev"]}
    await writes.update(events, same, {"$set": {"words": kept}})
