"""Lists of words in requests about access."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.errors import FieldViolation, Reason, TrackerError, nearest
from tracker.permissions import Permission

if TYPE_CHECKING:
    from collections.abc import Iterable


def trimmed(words: Iterable[str]) -> list[str]:
    """Return words without the spaces around them, without repetitions and empty ones, sorted."""
    return sorted({word.strip() for word in words} - {""})


def unfit(field: str, text: str) -> TrackerError:
    """Return the error for a field that breaks a rule, in the words of the Go implementation alone."""
    return TrackerError(Reason.INVALID_FIELD, text, violations=[FieldViolation(field, text)])


def known_permissions(words: Iterable[str]) -> list[str]:
    """Return permissions without spaces or repetitions, sorted.

    Raises:
        TrackerError: INVALID_ARGUMENT; there is no such permission.
    """
    known = {permission.value for permission in Permission}
    stripped = [word.strip() for word in words]
    for number, word in enumerate(stripped):
        if word not in known:
            text = f'unknown permission "{word[:40]}"{nearest(word, known)}'
            raise unfit(f"permissions[{number}]", text)
    return sorted(set(stripped))
