"""YAML that is readable, and that is read as it is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import yaml

from tracker.cli.controls import replaced_controls

if yaml.__with_libyaml__:
    from yaml import CSafeDumper as SafeDumper
    from yaml import CSafeLoader as SafeLoader
else:
    from yaml import SafeDumper, SafeLoader  # type: ignore[assignment]  # the same, ten times slower

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tracker.transcoding.json_text import JsonValue

_TAG = "tag:yaml.org,2002:"
_LARGEST_SHORT = 0xFFFF
_UNBOUNDED = 1_000_000
"""Characters of a line that is not folded."""


class YamlError(Exception):
    """A text is not YAML of the supported kind; the message is one line that says where and why."""


def to_yaml(document: Mapping[str, JsonValue]) -> str:
    """Return a document as YAML, in its order, with texts of several lines as blocks.

    What can control a terminal is escaped.
    """
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_UNBOUNDED)
    return replaced_controls(text, _escape)


def from_yaml(text: str) -> Iterator[JsonValue]:
    """Yield the documents of a text; scalars are null or text as written, so that `1.10` stays a version.

    Raises:
        YamlError: It is not YAML, or has a tag, a duplicate key or a node that contains itself.
    """
    try:
        yield from yaml.load_all(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise YamlError(f"{where}{error.problem}") from None
    except yaml.YAMLError as error:
        raise YamlError(" ".join(str(error).split())) from None
    except RecursionError:
        raise YamlError("it nests too deep") from None


class _Dumper(SafeDumper):
    """Writes texts of several lines as blocks."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - whatever it is
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if replaced_controls(text, _escape) != text:
        style = '"'
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


def _escape(each: str) -> str:
    """Return a character as a text in double quotes has it."""
    return f"\\u{ord(each):04x}" if ord(each) <= _LARGEST_SHORT else f"\\U{ord(each):08x}"


_Dumper.add_representer(str, _represent_text)
# Numbers in YAML 1.2 that are text in YAML 1.1, such as an abbreviated commit: 12e3, 0580597.
_Dumper.add_implicit_resolver(
    f"{_TAG}float",
    re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+)\Z"),
    list("-+.0123456789"),
)


class _Loader(SafeLoader):
    """Loads lists, mappings, texts and null."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the class above it
        first: [each for each in resolvers if each[0] in (f"{_TAG}null", f"{_TAG}merge")]
        for first, resolvers in SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {  # noqa: RUF012 - as in the class above it
        tag: SafeLoader.yaml_constructors[tag] for tag in (f"{_TAG}null", f"{_TAG}str", None)
    }


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[object, object]:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


def _construct_sequence(loader: _Loader, node: yaml.SequenceNode) -> list[object]:
    return loader.construct_sequence(node, deep=True)


_Loader.add_constructor(f"{_TAG}map", _construct_mapping)
_Loader.add_constructor(f"{_TAG}seq", _construct_sequence)
