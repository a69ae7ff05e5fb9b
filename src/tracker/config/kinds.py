"""The kinds of value a setting can have: how each is read from text, and how it is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar
from zoneinfo import ZoneInfo

from tracker.time_text import hint, read_timedelta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_SWITCH = {
    "on": True,
    "true": True,
    "yes": True,
    "1": True,
    "off": False,
    "false": False,
    "no": False,
    "0": False,
}


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value.

    `expected` says what a value must be, for messages. `parse` reads it from text and raises ValueError for
    any other text. `toml` names the TOML types, besides a string, that a file may write it as. `show` writes
    it as text that `parse` reads. `hint` says what else to write, if it knows, after a text that is refused.
    """

    expected: str
    parse: Callable[[str], T]
    toml: tuple[type, ...] = ()
    show: Callable[[T], str] = str
    hint: Callable[[str], str] = lambda _: ""


def _text(value: str) -> str:
    return value


def _switch(value: str) -> bool:
    try:
        return _SWITCH[value.lower()]
    except KeyError:
        raise ValueError from None


def _path(value: str) -> Path:
    if "\0" in value:
        raise ValueError
    try:
        return Path(value).expanduser()
    except RuntimeError:  # `~name` of a user without a home directory
        raise ValueError from None


def _timezone(value: str) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (KeyError, OSError):  # not found; the name of a folder of zones
        raise ValueError from None


TEXT: Kind[str] = Kind("text", _text)
SWITCH: Kind[bool] = Kind("on or off", _switch, toml=(bool,), show=lambda on: "on" if on else "off")
PATH: Kind[Path] = Kind("a path", _path)
TIMEZONE: Kind[ZoneInfo] = Kind(
    "a time zone such as UTC or Europe/Paris", _timezone, show=lambda zone: zone.key
)


def optional(kind: Kind[T]) -> Kind[T | None]:
    """Return the kind of a value that may be missing."""
    return Kind(kind.expected, kind.parse, kind.toml, lambda value: "" if value is None else kind.show(value))


def whole(low: int, high: int, noun: str = "a whole number") -> Kind[int]:
    """Return the kind of whole numbers from `low` to `high`, both included."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not low <= (value := int(text[:20])) <= high:
            raise ValueError
        return value

    return Kind(f"{noun} from {low} to {high}", parse, toml=(int,))


def seconds(low: float, high: float) -> Kind[float]:
    """Return the kind of a duration from `low` to `high` seconds, both included; a bare number is seconds."""

    def parse(text: str) -> float:
        duration = read_timedelta(text)
        value = float(text) if duration is None else duration.total_seconds()
        if math.isnan(value) or not low <= value <= high:
            raise ValueError
        return value

    expected = f"seconds from {low:g} to {high:g}"
    return Kind(expected, parse, toml=(int, float), show=lambda value: f"{value:g}", hint=hint)


def choice(of: type[E], also: Mapping[str, E] | None = None) -> Kind[E]:
    """Return the kind of the values of an enumeration, in any case; `also` gives further spellings."""
    known = {member.value: member for member in of} | dict(also or {})

    def parse(text: str) -> E:
        try:
            return known[text.lower()]
        except KeyError:
            raise ValueError from None

    return Kind("one of " + ", ".join(member.value for member in of), parse)
