from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.transcoding.bindings import PathTemplate, Variable, parse_template

LITERALS = st.from_regex(r"[A-Za-z0-9\-._~]{1,6}", fullmatch=True)
NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,5}(\.[a-z_][a-z0-9_]{0,5})?", fullmatch=True)


@dataclass(frozen=True)
class Piece:
    """One segment of a template as written, and what it must be read as."""

    text: str
    segments: tuple[str, ...]
    field_path: str = ""


def variable(name: str, segments: list[str], *, short: bool) -> Piece:
    if short and segments == ["*"]:
        return Piece(f"{{{name}}}", ("*",), name)
    return Piece(f"{{{name}={'/'.join(segments)}}}", tuple(segments), name)


PLAIN = st.one_of(st.just("*"), LITERALS)
PIECES = st.one_of(
    PLAIN.map(lambda text: Piece(text, (text,))),
    st.builds(variable, NAMES, st.lists(PLAIN, min_size=1, max_size=3), short=st.booleans()),
)
LAST = st.one_of(
    st.just(Piece("**", ("**",))), NAMES.map(lambda name: Piece(f"{{{name}=a/**}}", ("a", "**"), name))
)


def different_names(pieces: list[Piece]) -> bool:
    names = [piece.field_path for piece in pieces if piece.field_path]
    return len(names) == len(set(names))


@given(
    st.builds(
        lambda first, last: [*first, *last], st.lists(PIECES, min_size=1), st.lists(LAST, max_size=1)
    ).filter(different_names)
)
def test_a_template_of_the_grammar_is_read_as_it_was_written(pieces: list[Piece]) -> None:
    text = "/" + "/".join(piece.text for piece in pieces)
    variables = []
    start = 0
    for piece in pieces:
        end = start + len(piece.segments)
        if piece.field_path:
            variables.append(Variable(piece.field_path, start, None if piece.segments[-1] == "**" else end))
        start = end
    segments = tuple(segment for piece in pieces for segment in piece.segments)
    assert parse_template(text) == PathTemplate(segments, tuple(variables))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v1",
        "/",
        "//v1",
        "/v1/",
        "/v1/{name",
        "/v1/{}",
        "/v1/{a={b}}",
        "/v1/**/more",
        "/v1/{name=**}/more",
        "/v1:",
        "/v1:close",
        "/v1:a/b",
        "/{a}/{a}",
        "/{a}b",
        "/{1a}",
        "/a b",
        "/***",
    ],
)
def test_what_the_grammar_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_template(text)
