"""Names of things in the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protobuf import DescEnum, DescMessage

    from .rules import Schema


def component_name(desc: DescMessage | DescEnum, suffix: str = "") -> str:
    """Return the name of a type: its package's noun and its own, such as `event.Status`."""
    noun = desc.file.name.rsplit("/", 1)[-1].removesuffix(".proto")
    return f"{noun}.{desc.name}{suffix}"


def reference(name: str) -> Schema:
    """Return the schema that stands for a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def enum_names(enum: DescEnum) -> Sequence[str]:
    """Return the names of an enum's values."""
    return [value.name for value in enum.values]
