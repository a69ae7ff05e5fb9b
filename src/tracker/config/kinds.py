"""The kinds of values that settings have."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from tracker.permissions import Permission, read_permissions, show_permissions
from tracker.time_text import hint, read_timedelta, read_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ipaddress import IPv4Network, IPv6Network
    from zoneinfo import ZoneInfo

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_SWITCH = {
    **dict.fromkeys(("on", "true", "yes", "1"), True),
    **dict.fromkeys(("off", "false", "no", "0"), False),
}

_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:-]+")

REFUSALS = (ValueError, LookupError, OSError, RuntimeError)
"""The errors of a `Kind.parse`; `Path.expanduser` raises a RuntimeError."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """A kind of value.

    `expected` describes the values, for messages. `parse` reads it from text and raises one of `REFUSALS` for
    any other text. `toml` names the TOML types, besides a string, that a file may write it as. `show` writes
    it as text that `parse` reads. `hint` suggests another spelling of a refused text, if there is one. An
    `empty` text counts as not given, unless the kind has such a value.
    """

    expected: str
    parse: Callable[[str], T]
    toml: tuple[type, ...] = ()
    show: Callable[[T], str] = str
    hint: Callable[[str], str] = lambda _: ""
    empty: bool = False


def _path(value: str) -> Path:
    if "\0" in value:
        raise ValueError
    return Path(value).expanduser()


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _origins(value: str) -> tuple[str, ...]:
    origins = _words(value)
    if not all(map(_ORIGIN.fullmatch, origins)):
        raise ValueError
    return origins


def _timezone(value: str) -> ZoneInfo:
    zone = read_zone(value)
    if zone is None:
        raise ValueError
    return zone


TEXT: Kind[str] = Kind("text", str)
MISSING_OR_TEXT: Kind[str | None] = Kind("text", str, show=lambda text: text or "")
SWITCH: Kind[bool] = Kind(
    "on or off", lambda text: _SWITCH[text.lower()], toml=(bool,), show=lambda on: "on" if on else "off"
)
WORDS: Kind[tuple[str, ...]] = Kind("words with commas", _words, show=",".join)
ORIGINS: Kind[tuple[str, ...]] = Kind(
    "origins such as https://portal.example.com, with commas", _origins, show=",".join
)
NETWORKS: Kind[tuple[IPv4Network | IPv6Network, ...]] = Kind(
    "addresses or networks such as 10.0.0.0/8, with commas",
    lambda text: tuple(ip_network(word) for word in _words(text)),
    show=lambda networks: ",".join(map(str, networks)),
)
PATH: Kind[Path] = Kind("a path", _path)
_LOOPBACK = "loopback"
MISSING_OR_PATH: Kind[Path | None] = Kind(
    "a path", _path, show=lambda path: "" if path is None else str(path)
)
PERMISSIONS: Kind[frozenset[Permission] | None] = Kind(
    f"all, none, {_LOOPBACK}, or some of {', '.join(Permission)}, with commas",
    lambda text: None if text.lower() == _LOOPBACK else read_permissions(text),
    show=lambda permissions: _LOOPBACK if permissions is None else show_permissions(permissions),
    empty=True,
)
"""Permissions of callers without credentials, or None: all, if nobody else than this machine can call."""
TIMEZONE: Kind[ZoneInfo] = Kind(
    "a time zone such as UTC or Europe/Paris", _timezone, show=lambda zone: zone.key
)


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


def _share(text: str) -> float:
    if not 0 <= (value := float(text)) <= 1:
        raise ValueError
    return value


SHARE: Kind[float] = Kind("a number from 0 to 1", _share, toml=(int, float), show=lambda value: f"{value:g}")


def choice(of: type[E], also: Mapping[str, E] | None = None) -> Kind[E]:
    """Return the kind of the values of an enumeration, in any case; `also` gives further spellings."""
    known = {member.value: member for member in of} | dict(also or {})
    expected = "one of " + ", ".join(member.value for member in of)
    return Kind(expected, lambda text: known[text.lower()])
