"""What counts as a difference between a page and what its example prints."""

from __future__ import annotations

import pytest
from tests.docs.answers import difference


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('{"id": "…", "n": 1}', '{"n":1,"id":"x"}'),
        ('{"n": 1, "…": "…"}', '{"n":1,"more":[null]}'),
        ('{"n": "…"}', '{"n":[1,2]}'),
        ('[{"took": "…s"}]', '[{"took":"1.5s"}]'),
        ('{"percentage": 50}', '{"percentage":50.0}'),
    ],
)
def test_dots_stand_for_anything_in_json(shown: str, printed: str) -> None:
    assert difference("json", shown, printed) is None


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ('{"n": 1}', '{"n":2}'),
        ('{"n": 1}', '{"n":true}'),
        ('{"n": 1}', '{"n":1,"more":2}'),
        ('{"n": 1, "…": "…"}', '{"more":2}'),
        ('{"took": "…s"}', '{"took":"1.5m"}'),
        ('["a"]', '["a","b"]'),
        ('["a"]', '["b"]'),
        ('{"n": null}', '{"n":""}'),
        ("{}", "not JSON"),
    ],
)
def test_what_a_page_shows_in_json_must_be_there(shown: str, printed: str) -> None:
    assert difference("json", shown, printed) is not None


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("ready\n", "ready\n", True),
        ("ready\n", "ready", True),
        ("ready\n", "ready\nand more\n", False),
        ("…\nlast\n", "first\nsecond\nlast\n", True),
        ("… events, … bytes\n", "2 events, 4096 bytes\n", True),
        ("… events\n", "2 locks\n", False),
    ],
)
def test_text_is_compared_line_by_line(shown: str, printed: str, *, same: bool) -> None:
    assert (difference("text", shown, printed) is None) is same
