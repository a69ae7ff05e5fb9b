"""Searches of Datadog, as queries of Tracker.

https://docs.datadoghq.com/events/explorer/searching/. Both have words, fields, quotes, `AND`, `OR` and `-`;
what differs are the names of fields and of some values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracker.domain.query.fields import LABEL_NAME
from tracker.intakes.requests import refused
from tracker.intakes.tags import FIELD_OF
from tracker.time_text import LATEST, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_TERM: Final = re.compile(
    rf"(?P<name>@?(?:[A-Za-z0-9_][\w./-]*|\*)):|-|(?P<word>{_QUOTED}|(?:[^\s\"()\\]|\\.)+)|[()]|\s+",
    re.ASCII,
)
_VALUE: Final = re.compile(
    rf"(?P<range>\[[^][\s]{{1,100}} TO [^][\s]{{1,100}}\])|(?P<word>{_QUOTED}|(?:[^\s\"()\\]|\\.)+)|[()]|\s+"
)
_LABEL: Final = re.compile(LABEL_NAME)
_FIELDS: Final = FIELD_OF | {
    "*": "",
    "title": "title",
    "evt.name": "title",
    "message": "message",
    "source": "source",
    "host": "label.host",
    "hostname": "label.host",
    "evt.uid": "id",
}
"""The field for a name; other names are those of labels."""
_WORDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "status": {
        "error": ("error", "failure", "open"),
        "warn": ("warning",),
        "ok": ("success", "close"),
        "info": ("none",),
    },
    "priority": {
        "low": ("P5",),
        "normal": ("none", "P1", "P2", "P3", "P4"),
        **{f"{n}": (f"P{n}",) for n in range(1, 6)},
    },
}
"""The values that Datadog has instead of those of a field."""
_OPERATORS: Final = frozenset({"AND", "OR", "NOT"})
_MILLISECONDS: Final = re.compile(r"[0-9]{1,15}")
_DEFAULTS: Final = {"from": "now-15m", "to": "now"}
_BOUNDS: Final = {"from": "since", "to": "until"}


def translated(query: str) -> str:
    """Return the query of Tracker for one of Datadog.

    Raises:
        TrackerError: INVALID_ARGUMENT; it has something for which Tracker has nothing.
    """
    return "".join(_pieces(query))


def _pieces(query: str) -> Iterator[str]:
    """Yield the parts of a query; `inside` counts the parentheses around, and `field` is that of a value."""
    at, field, of_field, inside = 0, None, 0, 0
    while at < len(query):
        found = (_TERM if field is None else _VALUE).match(query, at)
        if found is None:
            raise refused("query", f"column {at + 1}: expected a word, a field or a value")
        at = found.end()
        if field is None and found["name"] is not None:
            field, of_field = _field(found["name"]), inside
            yield f"{field}:" if field else ""
            continue
        word, several = found["word"], inside > of_field
        if word is not None:
            yield (
                word
                if field is None or (several and word in _OPERATORS)
                else _value(field, word, several=several)
            )
        elif field is not None and found["range"] is not None:
            yield _range(field, found["range"])
        else:
            yield found[0]
        inside += {"(": 1, ")": -1}.get(found[0], 0)
        if inside < 0:
            raise refused("query", f"column {at}: there is no ( for this )")
        if inside <= of_field:
            field = None
    if inside:
        raise refused("query", "expected the ) that closes a (")


def _field(name: str) -> str:
    """Return the field of Tracker for a name; an attribute's begins with `@`."""
    plain = name.removeprefix("@")
    known = _FIELDS.get(plain.lower())
    if known is None and not _LABEL.fullmatch(plain):
        raise refused("query", f"no event has the attribute {plain[:100]}")
    return f"label.{plain}" if known is None else known


def _value(field: str, word: str, *, several: bool) -> str:
    """Return the value of a field; of several, one in parentheses."""
    if "?" in word and not word.startswith('"'):
        raise refused("query", "? stands for no character here; use *")
    meant = _WORDS.get(field, {}).get(word.strip('"').lower())
    if meant is None:
        return word
    joined = " OR ".join(meant)
    return joined if several or len(meant) == 1 else f"({joined})"


def _range(field: str, text: str) -> str:
    if field.startswith("label."):
        raise refused("query", f"values of {field.removeprefix('label.')} have no order")
    first, last = text[1:-1].split(" TO ")
    first, last = (_WORDS.get(field, {}).get(each, (each,))[0].replace("*", "") for each in (first, last))
    return f"{first}..{last}"


def period(given: Mapping[str, str]) -> str:
    """Return the bounds of a search, which are the last 15 minutes unless they are given.

    They are in ms since 1970, in the form of ISO 8601, or from now, such as `now-15m`.

    Raises:
        TrackerError: INVALID_ARGUMENT; one is something else.
    """
    return " ".join(
        f"{_BOUNDS[name]}:{_bound(name, given.get(name) or usual)}" for name, usual in _DEFAULTS.items()
    )


def _bound(name: str, text: str) -> str:
    if _MILLISECONDS.fullmatch(text):
        if int(text) * 1000 > LATEST:
            raise refused(name, "expected milliseconds since 1970")
        return moment_text(int(text) * 1000, exact=True)
    if '"' in text or "\\" in text:
        raise refused(name, "expected a time such as now-15m or 2026-01-31T12:00:00Z")
    return f'"{text}"'
