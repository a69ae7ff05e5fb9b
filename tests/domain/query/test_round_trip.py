"""Any tree has a text that gives it back; any text gives a tree or says where it is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.domain.query.trees import CLOCK, events, trees

from tracker.domain.query.lexer import QueryError
from tracker.domain.query.matching import matches
from tracker.domain.query.text import parse, to_text
from tracker.domain.query.tree import EVERYTHING
from tracker.time_text import Clock

if TYPE_CHECKING:
    from tracker.domain.query.tree import Node
    from tracker.pb import event_pb

LATER = Clock(CLOCK.now * 2, ZoneInfo("Asia/Tokyo"))

parts = st.sampled_from(
    [
        "service:", "status:", "since:", "duration:", "title:", "has:", "priority:", "start:", "nonsense:",
        "(", ")", "-", "NOT ", " AND ", " OR ", " ", ",", '"', "\\", "*", "..", ">=", "<", "failure", "P2",
        "2026-02-30", "2026-01", "+2d", "9999", "0001-01-01", "today-1h", "1h30m", "payments", "é", "\x00",
    ]
)  # fmt: skip


@given(trees)
@settings(max_examples=500)
def test_the_text_of_a_tree_gives_it_back_whenever_and_wherever_it_is_read(tree: Node) -> None:
    text = to_text(tree)
    assert parse(text, CLOCK) == tree
    assert parse(text, LATER) == tree


@given(st.text(max_size=60) | st.lists(parts, max_size=12).map("".join))
@settings(max_examples=1_000)
@example("time:<=9999")
@example("start:<0001")
@example("since:+999999999w")
@example("since:-99999999999999w")
def test_any_text_is_a_query_or_says_at_which_column_it_is_not(text: str) -> None:
    read = tree_or_error(text)
    if isinstance(read, QueryError):
        assert 1 <= read.column <= len(text) + 1
        assert read.message
    else:
        assert parse(to_text(read), LATER) == read


def tree_or_error(text: str) -> Node | QueryError:
    try:
        return parse(text, CLOCK)
    except QueryError as error:
        return error


@given(trees, events())
def test_a_tree_and_its_negation_part_all_events(tree: Node, event: event_pb.Event) -> None:
    assume(tree != EVERYTHING)
    assert matches(parse(f"-({to_text(tree)})", CLOCK), event) != matches(tree, event)
