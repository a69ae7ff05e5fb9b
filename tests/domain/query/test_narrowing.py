"""A filter and a query that ask for the same."""

from __future__ import annotations

import pytest
from tests.domain.query.trees import CLOCK

from tracker.domain.events import EventFilter
from tracker.domain.query import EVERYTHING, parse
from tracker.domain.query.narrowing import narrowed, widened
from tracker.pb import event_pb


@pytest.mark.parametrize(
    "where",
    [
        EventFilter(
            service="payments", source="ci", slack_id="1", external_id="run 1", related_ids=("1", "2")
        ),
        EventFilter(
            types=(event_pb.Type.deployment, event_pb.Type.drift), priorities=(event_pb.Priority.P1,)
        ),
        EventFilter(statuses=(event_pb.Status.failure,), environments=(event_pb.Environment.production,)),
        EventFilter(impact=False, since=1_000_000, until=2_000_000),
        EventFilter(since=1_000_000, query=parse("deploy owner:ines", CLOCK)),
        EventFilter(service="payments", query=parse("deploy OR owner:ines", CLOCK)),
    ],
)
def test_what_a_filter_asks_for_can_be_said_in_a_query_and_back(where: EventFilter) -> None:
    assert narrowed(EventFilter(query=widened(where))) == where


def test_a_filter_that_asks_for_nothing_is_the_query_for_everything() -> None:
    assert widened(EventFilter()) == EVERYTHING
