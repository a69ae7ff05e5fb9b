"""Compares what an example prints with what its page shows: `…` stands for anything."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

ANY = "…"


def difference(language: str, shown: str, printed: str) -> str | None:
    """Return where the two differ, or None where the page is right."""
    if language == "json":
        try:
            answer: Json = json.loads(printed)
        except ValueError:
            return f"it is not JSON: {printed}"
        return _json_difference(json.loads(shown), answer, "the answer")
    if re.fullmatch(_lines(shown), printed.rstrip("\n") + "\n"):
        return None
    return f"it prints\n{printed}"


def _json_difference(shown: Json, got: Json, where: str) -> str | None:
    match shown, got:
        case str(), str() if re.fullmatch(".*".join(map(re.escape, shown.split(ANY))), got, re.DOTALL):
            return None
        case dict(), dict():
            return _object_difference(shown, got, where)
        case list(), list() if len(shown) == len(got):
            pairs = zip(shown, got, strict=True)
            return _first(_json_difference(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(pairs))
        case _ if shown == ANY or (shown == got and isinstance(shown, bool) == isinstance(got, bool)):
            return None
    return f"{where} is {got!r}, the page has {shown!r}"


def _object_difference(shown: dict[str, Json], got: dict[str, Json], where: str) -> str | None:
    names = shown.keys() - {ANY}
    if missing := names - got.keys():
        return f"{where} has no {sorted(missing)}"
    if ANY not in shown and (more := got.keys() - names):
        return f"{where} also has {sorted(more)}"
    return _first(_json_difference(shown[name], got[name], f"{where}.{name}") for name in sorted(names))


def _first(differences: Iterable[str | None]) -> str | None:
    return next((found for found in differences if found is not None), None)


def _lines(shown: str) -> re.Pattern[str]:
    """Return the pattern of a text: a line that is only `…` stands for any number of lines."""
    pattern = ""
    for line in shown.rstrip("\n").split("\n"):
        if line == ANY:
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += r"[^\n]*".join(map(re.escape, line.split(ANY))) + r"[ \t\r]*\n"
    return re.compile(pattern)
