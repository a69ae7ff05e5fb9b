"""YAML as the command line writes and reads it."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tracker.cli.yaml_text import YamlError, from_yaml, to_yaml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXTS | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=10
)


@given(st.dictionaries(TEXTS, VALUES))
def test_what_is_written_is_read_the_same(document: dict[str, object]) -> None:
    text = to_yaml(document)  # type: ignore[arg-type]  # JSON of any shape
    assert list(from_yaml(text)) == [document]
    assert yaml.safe_load(text) == document


@pytest.mark.parametrize(
    "text",
    ["1.10", "yes", "0x1F", "2026-01-31", "null", "12e3", "7e10", "1.5e3", "-.5", "0580597", "0o17", "~"],
)
def test_a_text_that_looks_like_something_else_is_quoted(text: str) -> None:
    assert to_yaml({"version": text}) == f"version: '{text}'\n"


@pytest.mark.parametrize("text", ["v1", "1.2.3", "12e3abc", "058059a"])
def test_a_text_that_is_no_number_anywhere_is_not_quoted(text: str) -> None:
    assert to_yaml({"version": text}) == f"version: {text}\n"


def test_a_text_of_several_lines_is_written_as_it_is() -> None:
    assert to_yaml({"message": "one\n  two\n", "id": "x"}) == "message: |\n  one\n    two\nid: x\n"


def test_scalars_are_read_as_they_are_written() -> None:
    text = "version: 1.10\nday: 2026-01-31\nyes: no\nsla:\nport: 0x10\nlabels: {a: ~}\n"
    assert list(from_yaml(text)) == [
        {
            "version": "1.10",
            "day": "2026-01-31",
            "yes": "no",
            "sla": None,
            "port": "0x10",
            "labels": {"a": None},
        }
    ]


def test_a_text_may_have_several_documents_and_parts_that_are_shared() -> None:
    text = "&a {owner: ops}\n---\n<<: &b {owner: ops, name: x}\nname: y\n---\n[*b]\n"
    assert list(from_yaml(text.replace("[*b]", "[]"))) == [
        {"owner": "ops"},
        {"owner": "ops", "name": "y"},
        [],
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1", "line 2, column 1: did not find expected ',' or ']'"),
        ("a: 1\nb: {c: 1, c: 2}", "line 2, column 11: key 'c' is given twice"),
        ("&x [*x]", "line 1, column 1: found unconstructable recursive node"),
        ("a: !!python/object/apply:os.getcwd []", "line 1, column 4: could not determine a constructor"),
        ("a: !!int 5", "line 1, column 4: could not determine a constructor"),
        ("[a]: b", "line 1, column 1: found unhashable key"),
        ("a: \x00", "control characters are not allowed"),
        ("[" * 100_000, "nesting depth"),
    ],
)
def test_what_is_not_read_is_told_in_one_line(text: str, told: str) -> None:
    with pytest.raises(YamlError) as raised:
        list(from_yaml(text))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)
