"""What differs between two entries, as `tracker catalog apply` tells it."""

from __future__ import annotations

from typing import Any

import pytest

from tracker.cli.catalog.applying import Difference, differences


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": "1"}, {"a": "1"}, []),
        ({"a": "1"}, {"a": "2"}, [("a", "1", "2")]),
        ({"a": "1"}, {"b": 2}, [("a", "1", None), ("b", None, "2")]),
        ({}, {"sla": {"level": "low"}}, [("sla.level", None, "low")]),
        ({"sla": {"level": "low"}}, {}, [("sla.level", "low", None)]),
        ({"of": ["a", "b"]}, {"of": ["b", "c"]}, [("of", "a", None), ("of", None, "c")]),
        ({"of": ["a", "b"]}, {"of": ["b", "a"]}, [("of", "a, b", "b, a")]),
        ({"of": ["a", "a"]}, {"of": ["a"]}, [("of", "a", None)]),
        (
            {"of": [{"name": "x", "v": "1"}, {"name": "y", "v": "1"}]},
            {"of": [{"name": "y", "v": "2"}, {"name": "x", "v": "1"}]},
            [("of[y].v", "1", "2")],
        ),
        (
            {"of": [{"v": "1"}]},
            {"of": [{"v": "2"}, {"v": "3"}]},
            [("of[0].v", "1", "2"), ("of[1].v", None, "3")],
        ),
        (
            {"of": [{"name": "x"}, {"name": "x", "v": "1"}]},
            {"of": [{"name": "x"}]},
            [("of[1].name", "x", None), ("of[1].v", "1", None)],
        ),
    ],
)
def test_what_differs_is_told_by_field(before: Any, after: Any, told: list[Any]) -> None:
    assert list(differences(before, after)) == [Difference(*each) for each in told]
