"""Names of things in the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protobuf import DescEnum, DescMessage, DescMethod

    from .rules import Schema


def component_name(desc: DescMessage | DescEnum, suffix: str = "") -> str:
    """Return the name of a type: its package's noun and its own, such as `event.Status`."""
    noun = desc.file.name.rsplit("/", 1)[-1].removesuffix(".proto")
    return f"{noun}.{desc.name}{suffix}"


def reference(name: str) -> Schema:
    """Return the schema that stands for a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def operation_id(method: DescMethod, number: int) -> str:
    """Return the name of an RPC's operation; the second binding of a method makes number 2."""
    return f"{method.parent.name}_{method.name}{number if number > 1 else ''}"
