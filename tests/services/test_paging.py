import base64
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.errors import TrackerError
from tracker.services.paging import page_token, parse_page_token

cursors = st.tuples(st.integers(-(2**62), 2**62), st.text(max_size=50))


@given(cursors, st.text(max_size=200))
def test_a_token_gives_its_cursor_back(cursor: tuple[int, str], query: str) -> None:
    assert parse_page_token(page_token(cursor, query), query) == cursor


def test_the_end_of_a_list_has_no_token() -> None:
    assert page_token(None, "events") == ""
    assert parse_page_token("", "events") is None


@given(cursors, st.data())
def test_a_token_that_was_changed_is_refused(cursor: tuple[int, str], data: st.DataObject) -> None:
    token = page_token(cursor, "events")
    at = data.draw(st.integers(0, len(token) - 1))
    put = data.draw(st.sampled_from("ABab01-_="))
    changed = token[:at] + put + token[at + 1 :]
    if changed == token:
        changed = token[:-1]
    with pytest.raises(TrackerError) as refused:
        parse_page_token(changed, "events")
    assert refused.value.violations[0].field == "page_token"


def test_a_token_of_another_query_is_refused() -> None:
    token = page_token((1, "a"), "events service=payments")
    with pytest.raises(TrackerError, match="same filters"):
        parse_page_token(token, "events service=checkout")


@given(st.binary(max_size=100))
def test_no_bytes_make_a_token_by_chance(raw: bytes) -> None:
    token = base64.urlsafe_b64encode(raw).decode().rstrip("=") or "A"
    with pytest.raises(TrackerError):
        parse_page_token(token, "events")


@given(st.text(min_size=1, max_size=100))
def test_no_text_crashes_the_parser(text: str) -> None:
    with pytest.raises(TrackerError):
        parse_page_token(text, "events")


@pytest.mark.parametrize(
    "body", ["7", "[[1]]", '[{"$gt": 1}]', "[1.5]", "[18446744073709551616]", "[" * 2_000, "{"]
)
def test_a_token_that_somebody_has_made_has_texts_and_numbers_or_is_refused(body: str) -> None:
    check = blake2b(b"events\0" + body.encode(), digest_size=8).digest()
    token = base64.urlsafe_b64encode(check + body.encode()).rstrip(b"=").decode()
    with pytest.raises(TrackerError, match="not a token of this list"):
        parse_page_token(token, "events")
