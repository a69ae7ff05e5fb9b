"""Suggestions while a query is written: names of fields, and values of one with counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from protobuf.wkt import UInt32Value

from tracker.api.http_exchange import json_response
from tracker.domain.query.fields import FIELDS, Kind, named
from tracker.errors import TrackerError
from tracker.pb import event_pb
from tracker.web.explorer.state import period_of, state_of
from tracker.web.query_terms import term

if TYPE_CHECKING:
    from tracker.api.http_exchange import HttpResponse
    from tracker.domain.query.fields import Field
    from tracker.web.visit import Visit

_WRITTEN: Final = re.compile(
    r'(?:^|(?<=[\s(-]))(?:(?P<field>[A-Za-z][\w./-]*):)?(?P<value>"[^"]*|[^\s():"]*)$'
)
_NAMES: Final = (*(field.name for field in FIELDS), "since", "until", "has", "label.")
_MOST: Final = 12
_COUNTED: Final = 200
_DIGITS: Final = 9
_TIMES: Final = ("1h", "24h", "7d", "today", "yesterday")


class Suggestion(NamedTuple):
    """What may take the place of the word before the cursor."""

    text: str
    shown: str
    known: int | None = None


class Suggestions:
    """Answers what a script of the page asks while its reader writes."""

    path = "/events/suggestions"

    async def show(self, visit: Visit) -> HttpResponse:
        """Return the suggestions for a query `q` with the cursor `at` a character, as JSON."""
        query, at = visit.one("q"), visit.one("at")[:_DIGITS]
        before = query[: int(at)] if at.isdecimal() else query
        found = _WRITTEN.search(before)
        start, suggestions = len(before), list[Suggestion]()
        if found is not None:
            start = found.start()
            field, value = found["field"], found["value"].lstrip('"').lower()
            if field is None:
                suggestions = [Suggestion(_spelled(n), n) for n in _NAMES if value and n.startswith(value)]
            else:
                suggestions = await _values(visit, field, value, query[:start])
        body = {
            "start": start,
            "suggestions": [
                {"text": each.text, "shown": each.shown, "count": each.known} for each in suggestions[:_MOST]
            ],
        }
        return json_response(body, headers=(("cache-control", "no-store"),))


def _spelled(name: str) -> str:
    return name if name.endswith(".") else f"{name}:"


async def _values(visit: Visit, name: str, value: str, others: str) -> list[Suggestion]:
    if name == "has":
        return [
            Suggestion(f"has:{field.name}", field.name) for field in FIELDS if field.name.startswith(value)
        ]
    field = named(name)
    if name in {"since", "until"} or (field is not None and field.kind is Kind.TIME):
        return [Suggestion(f"{name}:{each}", each) for each in _TIMES if each.startswith(value)]
    if field is None:
        return []
    counted = await _counted(visit, field, others)
    known = [*counted, *(each for each in field.choices if each not in counted and field.choices[each])]
    matching = [each for each in known if each and each.lower().startswith(value)]
    return [Suggestion(term(name, each), each, counted.get(each)) for each in matching]


async def _counted(visit: Visit, field: Field, others: str) -> dict[str, int]:
    """Return how many events of the period have each value, given the terms written before."""
    if not field.facet:
        return {}
    period = period_of(state_of(visit), visit.clock)
    for query in dict.fromkeys((others.strip(), "")):
        asked = event_pb.GetEventFacetsRequest(
            query=query, fields=[field.name], limit=UInt32Value(value=_COUNTED), **period.dates
        )
        try:
            answer = await visit.ask(asked, event_pb.GetEventFacetsResponse)
        except TrackerError:
            continue  # the terms are not a query yet
        return {each.value: each.count for facet in answer.facets for each in facet.values}
    return {}
