"""Names in requests that no field has: ignored with a warning, or refused where the caller prefers that.

`Prefer: handling=strict` is from RFC 7240, the form of `Warning` from RFC 7234, 5.5.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.transcoding.unknown import refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tracker.services.context import Call
    from tracker.transcoding.unknown import Unknown

PREFER = "prefer"
"""Header over REST, metadata key over gRPC."""
_APPLIED = ("preference-applied", "handling=strict")

_WORD = r'[^\s,;="]+'
_VALUE = rf'(?:\s*=\s*("(?:[^"\\]|\\.)*"|{_WORD}))?'
_PREFERENCE = re.compile(rf"({_WORD}){_VALUE}(?:\s*;\s*{_WORD}{_VALUE})*")

_MAX_WARNING = 400
"""Characters of all warnings together, but for the last one: proxies limit the headers of an answer."""
_MAX_PATH = 80
"""Characters of a name in a warning."""
_QUOTED = re.compile(r'["\\]')


def handle(call: Call, unknown: Sequence[Unknown]) -> None:
    """Have the answer to a call warn of names that no field has.

    Raises:
        TrackerError: INVALID_ARGUMENT; there are some, and the caller prefers that.
    """
    strict = _is_strict(call.headers.get(PREFER, ""))
    if strict:
        call.notes = (*call.notes, _APPLIED)
        if unknown:
            raise refusal(unknown)
    elif unknown:
        call.notes = (*call.notes, ("warning", _warning(unknown)))


def _is_strict(prefer: str) -> bool:
    """Return whether a header `Prefer` asks for strict handling; the first of several preferences counts."""
    handling = (value for name, value, _ in _PREFERENCE.findall(prefer) if name.lower() == "handling")
    return next(handling, "").strip('"').lower() == "strict"


def _warning(unknown: Sequence[Unknown]) -> str:
    """Return the value of the header `Warning`, which has the first of the names."""
    warnings: list[str] = []
    room = _MAX_WARNING
    for each in unknown:
        sentence = str(each._replace(path=_ascii(each.path)))
        quoted = _QUOTED.sub(r"\\\g<0>", sentence)
        room -= len(quoted)
        if warnings and room < 0:
            warnings.append(f'299 - "{len(unknown) - len(warnings)} more"')
            break
        warnings.append(f'299 - "{quoted}"')
    return ", ".join(warnings)


def _ascii(path: str) -> str:
    """Return a path in printable ASCII characters, cut to fit."""
    return "".join(c if " " <= c <= "~" else f"\\u{ord(c):04x}" for c in path[:_MAX_PATH])[:_MAX_PATH]
