"""A text in ASCII is searched in another way, and has the same phrases."""

from __future__ import annotations

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tracker.domain.query.matching import MAX_WORD, Phrase, words

texts = st.text("aAbB1_ -.\n\x00", max_size=12)
long = "a" * MAX_WORD


@given(text=texts, wanted=texts, prefix=st.booleans())
@settings(max_examples=1_000)
@example(text=f"{long}b", wanted=long, prefix=False)
@example(text=f"{long}b", wanted=f"{long}c", prefix=True)
@example(text=f"x {long[1:]}b", wanted=long[1:], prefix=False)
@example(text="a_b", wanted="a b", prefix=False)
@example(text="ab1", wanted="b1", prefix=False)
def test_a_text_in_ascii_has_the_phrases_that_any_other_has(text: str, wanted: str, prefix: bool) -> None:
    assume(words(wanted))
    phrase = Phrase(tuple(words(wanted)), prefix)
    # The letter behind it is a word of its own, and makes that the text is not ASCII.
    assert phrase.occurs_in(text) == phrase.occurs_in(f"{text} é")
