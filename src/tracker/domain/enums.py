"""The names that enum values have on the wire."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from protobuf import Enum


@cache
def _names(enum: type[Enum]) -> dict[int, str]:
    return {value.number: value.name for value in enum.desc().values}


def wire_name(value: Enum) -> str:
    """Return the name of an enum value in its proto, or its number where the proto declares none."""
    return _names(type(value)).get(int(value), str(int(value)))
