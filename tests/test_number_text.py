"""Numbers of things, as people read them."""

from __future__ import annotations

from tracker.number_text import number_of


def test_one_thing_is_named_in_the_singular_and_thousands_are_separated() -> None:
    assert [number_of(count, "event") for count in (0, 1, 1_000)] == ["0 events", "1 event", "1,000 events"]
    assert [number_of(count, "entry", "entries") for count in (1, 2)] == ["1 entry", "2 entries"]
