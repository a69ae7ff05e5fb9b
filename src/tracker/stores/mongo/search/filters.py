"""Which events a filter takes, as queries that name the index to walk.

The indexes are the same as the embedded store has, and so is the reason why they are named: the most
selective field that a filter asks for decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tracker.domain.query.narrowing import narrowed
from tracker.stores.mongo.parts import behind
from tracker.stores.mongo.search import queries
from tracker.stores.mongo.search.terms import HAVE_TERMS, LACK_TERMS, names_a_term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.domain.events import EventFilter
    from tracker.domain.paging import Cursor
    from tracker.domain.query import Node
    from tracker.stores.mongo.writes import Document

BY_TIME, BY_TERM, BY_SERVICE, BY_SOURCE, BY_END, BY_SLACK_ID, BY_EXTERNAL_ID, BY_RELATED_ID = (
    "events_by_time",
    "events_by_term",
    "events_by_service",
    "events_by_source",
    "events_by_end",
    "events_by_slack_id",
    "events_by_external_id",
    "events_by_related_id",
)

EARLIEST = -(2**63)


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of the events that match: those of one range of one index.

    The branches of a filter don't meet, and all events of one are newer than all of the next.
    """

    index: str
    where: Document

    def behind(self, cursor: Cursor, *, oldest_first: bool) -> Branch:
        """Return the branch without the events up to and with the one that the cursor names."""
        # The bound of the time, which the alternatives imply, is what the index can be entered at.
        bound = {"time": {"$gte" if oldest_first else "$lte": cursor[0]}}
        rest = behind(["time", "_id"], cursor, newest_first=not oldest_first)
        return self.also(bound | rest)

    def also(self, condition: Document) -> Branch:
        """Return the branch for those of its events that fulfil a further condition."""
        return Branch(self.index, {"$and": [self.where, condition]})


@dataclass(frozen=True, slots=True)
class Halves:
    """The events of a filter in two parts that don't meet.

    Of `told` the database knows that they match. Those of `sifted` may: each has to be asked the `query`.
    """

    told: Sequence[Branch]
    sifted: Sequence[Branch]
    query: Node | None


def branches(where: EventFilter) -> Sequence[Branch]:
    """Return the branches of a filter; those of one with a query may have more events than match it."""
    where = narrowed(where)
    asked = [] if where.query is None else [queries.sieve(where.query).where]
    return _branches(where, asked)


def halves(where: EventFilter) -> Halves:
    """Return the branches of a filter by whether its query has to be asked of each event."""
    where = narrowed(where)
    if where.query is None:
        return Halves(_branches(where, []), (), None)
    all_ = queries.sieve(where.query)
    if all_.exact:
        return Halves(_branches(where, [all_.where]), (), None)
    known = queries.sieve(where.query, terms_known=True)
    if not known.exact:
        return Halves((), _branches(where, [all_.where]), where.query)
    told = [known.where] if names_a_term(where.query) else [known.where, HAVE_TERMS]
    others = [replace(each, index=BY_TERM) for each in _branches(where, [all_.where, LACK_TERMS])]
    return Halves(_branches(where, told), others, where.query)


def _branches(where: EventFilter, query: Sequence[Document]) -> Sequence[Branch]:
    asked: Document = {"$and": [*query]} if query else {}
    index = BY_TERM if where.query is not None and names_a_term(where.query) else BY_TIME
    for name, texts, own in (
        ("source", (where.source,), BY_SOURCE),
        ("service", (where.service,), BY_SERVICE),
        ("related_id", where.related_ids, BY_RELATED_ID),
        ("slack_id", (where.slack_id,), BY_SLACK_ID),
        ("external_id", (where.external_id,), BY_EXTERNAL_ID),
    ):
        if any(texts):
            index = own
            asked[name] = texts[0] if len(texts) == 1 else {"$in": [*texts]}
    for name, numbers in (
        ("type", where.types),
        ("priority", where.priorities),
        ("status", where.statuses),
        ("environment", where.environments),
    ):
        if numbers:
            asked[name] = {"$in": [int(number) for number in numbers]}
    if where.impact is not None:
        asked["impact"] = int(where.impact)
    until = {} if where.until is None else {"$lt": where.until}
    # What has no time is no event: it keeps the place of one that was never finished, or is being deleted.
    began = Branch(
        index, asked | {"time": {"$gte": EARLIEST if where.since is None else where.since} | until}
    )
    if where.since is None or not where.overlapping:
        return [began]
    before = {"$lt": where.since if where.until is None else min(where.since, where.until)}
    return [began, Branch(BY_END, asked | {"time": before, "end_time": {"$gte": where.since}})]
