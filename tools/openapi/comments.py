"""Comments of the protos as texts of the documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from protobuf.plugin import get_comments, get_package_comments

if TYPE_CHECKING:
    from protobuf import DescEnum, DescEnumValue, DescField, DescFile, DescMessage, DescMethod, DescService

    Described: TypeAlias = DescEnum | DescEnumValue | DescField | DescMessage | DescMethod | DescService

_FIRST_SENTENCE = re.compile(r"(.+?)\.(?:\s|$)", re.DOTALL)


def description(desc: Described) -> str:
    """Return what the protos say of something, each paragraph in one line (CommonMark)."""
    return _paragraphs(get_comments(desc).lines())


def package_description(file: DescFile) -> str:
    """Return what a file says of its package."""
    return _paragraphs(get_package_comments(file).lines())


def summary(text: str) -> str:
    """Return the first sentence of a description, without its full stop."""
    found = _FIRST_SENTENCE.match(text)
    return found[1] if found else text


def _paragraphs(lines: list[str]) -> str:
    return "\n\n".join(
        " ".join(paragraph.split("\n")) for paragraph in "\n".join(lines).strip().split("\n\n")
    )
