"""A filter and a query that ask for the same."""

from __future__ import annotations

import pytest
from tests.domain.query.trees import CLOCK

from tracker.domain.query.text import parse, to_text
from tracker.domain.query.tree import EVERYTHING, EventFilter, leading, narrowed, widened


@pytest.mark.parametrize(
    "where",
    [
        EventFilter(parse("service:payments source:ci slack:1 external_id:1 related:(1 OR 2)", CLOCK)),
        EventFilter(parse("type:(deployment OR drift) priority:P1", CLOCK)),
        EventFilter(parse("impact:false", CLOCK), since=1_000_000, until=2_000_000),
        EventFilter(parse("deploy owner:ines", CLOCK), since=1_000_000),
        EventFilter(parse("service:payments (deploy OR owner:ines)", CLOCK), until=1),
    ],
)
def test_what_a_filter_asks_for_can_be_said_in_a_query_and_back(where: EventFilter) -> None:
    assert narrowed(EventFilter(widened(where))) == where


def test_the_period_of_a_query_and_that_of_a_filter_bound_each_other() -> None:
    query = parse("time:>=2026-01-01T00:00Z time:<2026-01-03T00:00Z deploy", CLOCK)
    day = 86_400_000_000
    first = 1_767_225_600_000_000
    where = narrowed(EventFilter(query, since=first + day, until=first + 5 * day))
    assert where == EventFilter(parse("deploy", CLOCK), since=first + day, until=first + 2 * day)


def test_a_filter_that_asks_for_nothing_is_the_query_for_everything() -> None:
    assert widened(EventFilter()) == EVERYTHING


@pytest.mark.parametrize(
    ("query", "led"),
    [
        ("source:a service:b status:failure", "service:b"),
        ("service:a related:(b OR c)", "related:(b OR c)"),
        ("slack:1 related:b", "slack:1"),
        ("((type:deployment service:a) status:success) environment:UAT", "service:a"),
        ("service:(a OR b)", None),
        ("service:a*", None),
        ("service:a OR source:b", None),
        ("-service:a", None),
        ("owner:a status:failure", None),
    ],
)
def test_the_most_selective_value_of_a_query_leads_to_its_index(query: str, led: str | None) -> None:
    term = leading(parse(query, CLOCK))
    assert (None if term is None else to_text(term)) == led
