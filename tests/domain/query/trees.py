"""Random queries, and random events that have a fair chance to match them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tracker.domain.query.fields import FIELDS, MESSAGE, TEXT, TITLE, Kind, label
from tracker.domain.query.matching import words
from tracker.domain.query.tree import EVERYTHING, Has, Not, Number, Or, Pattern, Range, Term, all_of
from tracker.domain.times import duration, timestamp
from tracker.pb import event_pb
from tracker.time_text import EARLIEST, LATEST, LONGEST, MICROS, Clock

if TYPE_CHECKING:
    from tracker.domain.query.fields import Field
    from tracker.domain.query.tree import Node, Test

CLOCK = Clock(1_790_000_000 * MICROS, ZoneInfo("Europe/Paris"))

LABELS = ["team", "Team", "app.kubernetes.io/part-of_1"]
names = st.sampled_from(["a", "ab", "aba", "A", "é", "a b", "a\x00b", "*", "a*b", "%_", "[a]", '"\\', "a_b"])
some_names = st.just("") | names
sentences = st.sampled_from(
    [
        "",
        "Timed out",
        "timed  OUT!",
        "out timed",
        "timedout",
        "Straße 12",
        "STRASSE",
        "データ部署",
        "de\u0301ja 1.2",
    ]
) | st.lists(st.sampled_from(["timed", "out", "Out", "é", "12"]), max_size=4).map(" ".join)
times = st.integers(-2, 6).map(lambda n: n * MICROS // 2) | st.sampled_from([EARLIEST, LATEST])
lengths = st.integers(0, 6) | st.sampled_from([1_000, 1_001, MICROS, 60 * MICROS, LONGEST])

keywords = [
    described.name
    for described in event_pb.EventAttributes.desc().fields
    for field in FIELDS
    if field.path == ("attributes", described.json_name)
    if field.kind is Kind.KEYWORD and not field.several
]
attributes = st.builds(
    event_pb.EventAttributes,
    **dict.fromkeys(keywords, some_names),
    message=sentences,
    type=st.sampled_from(list(event_pb.Type)),
    priority=st.sampled_from(list(event_pb.Priority)),
    status=st.sampled_from(list(event_pb.Status)),
    environment=st.sampled_from(list(event_pb.Environment)),
    impact=st.booleans(),
    start_date=st.none() | times.map(timestamp),
    end_date=st.none() | times.map(timestamp),
    stake_holders=st.lists(some_names, max_size=2),
    notification=st.booleans(),
    notifications=st.lists(some_names, max_size=2),
    labels=st.dictionaries(st.sampled_from(LABELS), names, max_size=2),
)
links = st.builds(event_pb.EventLinks, pull_request_link=some_names, ticket=some_names)


@st.composite
def events(draw: st.DrawFn, number: int = 1) -> event_pb.Event:
    """Draw an event; `number` makes its ids its own."""
    slack_id = draw(st.sampled_from(["", f"a{number}"]))
    what = draw(st.none() | attributes)
    if what is not None:
        what.external_id = draw(st.sampled_from(["", f"a{number}"]))
    return event_pb.Event(
        title=draw(sentences),
        attributes=what,
        links=draw(st.none() | links),
        metadata=event_pb.EventMetadata(
            id=f"ab-{number}",
            slack_id=slack_id,
            created_at=timestamp(draw(times)),
            duration=draw(st.none() | lengths.map(duration)),
            elapsed=draw(st.none() | lengths.map(duration)),
        ),
    )


patterns = names.map(lambda name: Pattern((name,))) | (
    st.tuples(some_names, st.lists(names, max_size=2), some_names)
    .map(lambda drawn: Pattern((drawn[0], *drawn[1], drawn[2])))
    .filter(lambda pattern: any(pattern.pieces))
)
phrases = sentences.filter(words).map(lambda text: Pattern((text,))) | st.sampled_from(
    ["t", "timed", "timed ou", "timed out 1", "str", "部"]
).map(lambda text: Pattern((text, "")))


@st.composite
def ranges(draw: st.DrawFn, values: st.SearchStrategy[int], lowest: int) -> Range:
    low, high = draw(st.none() | values), draw(st.none() | values.filter(lambda value: value > lowest))
    if low is not None and high is not None and low >= high:
        low = None
    return Range(lowest if low is None and high is None else low, high)


def tests_of(field: Field) -> st.SearchStrategy[Test]:
    match field.kind:
        case Kind.KEYWORD:
            return patterns
        case Kind.PROSE:
            return phrases
        case Kind.CHOICE:
            return st.sampled_from(sorted(set(field.choices.values()))).map(Number)
        case Kind.FLAG:
            return st.sampled_from([Number(0), Number(1)])
        case Kind.TIME:
            return ranges(times, EARLIEST)
        case Kind.DURATION:
            return ranges(lengths, 0)


fields = st.sampled_from([*FIELDS, *map(label, LABELS)])
leaves: st.SearchStrategy[Node] = fields.map(Has) | fields.flatmap(
    lambda field: st.builds(
        Term, st.just(field), st.lists(tests_of(field), min_size=1, max_size=3, unique=True).map(tuple)
    )
)

prose = st.sampled_from([TITLE, MESSAGE, TEXT]).flatmap(
    lambda field: st.builds(
        Term, st.just(field), st.lists(phrases, min_size=1, max_size=3, unique=True).map(tuple)
    )
)


def _grown(parts: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(parts, min_size=2, max_size=4).map(tuple)
    return parts.map(Not) | several.map(all_of) | several.map(Or)


texts: st.SearchStrategy[Node] = st.recursive(prose, _grown, max_leaves=6)
"""Queries for free text alone."""

trees: st.SearchStrategy[Node] = st.just(EVERYTHING) | st.recursive(leaves, _grown, max_leaves=12)
