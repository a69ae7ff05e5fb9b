"""How statuses and priorities look: a word, a colour and a shape, so that none of them stands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.pb import event_pb
from tracker.pb.options import wire_name

if TYPE_CHECKING:
    from collections.abc import Sequence

_Status = event_pb.Status


class Label(NamedTuple):
    """A status as a page shows it: its word, the class of its colour, and the name of its shape."""

    word: str
    tone: str
    icon: str


UNKNOWN: Final = Label("unknown", "note", "dot")
"""How a state looks that this version does not know."""

_LOOKS: Final = {
    **dict.fromkeys((_Status.success, _Status.done, _Status.close), ("ok", "check")),
    **dict.fromkeys((_Status.failure, _Status.error), ("bad", "cross")),
    **dict.fromkeys((_Status.start, _Status.in_progress), ("run", "play")),
    **dict.fromkeys((_Status.planned, _Status.waiting_approval), ("plan", "clock")),
    _Status.warning: ("warn", "triangle"),
    _Status.open: ("bad", "ring"),
}
_OTHER: Final = ("note", "dot")

TONES: Final[Sequence[tuple[str, str]]] = (
    ("bad", "failed or open"),
    ("warn", "warning"),
    ("run", "under way"),
    ("plan", "planned"),
    ("note", "other"),
    ("ok", "ended well"),
)
"""The tones from the bottom of a bar to its top, and what they stand for."""


def status_label(status: event_pb.Status) -> Label:
    """Return how a status looks."""
    tone, icon = _LOOKS.get(status, _OTHER)
    return Label(wire_name(status).replace("_", " ") if status else "no status", tone, icon)


_TONES_BY_NAME: Final = {status.name: tone for status, (tone, _) in _LOOKS.items()}


def tone_named(status: str) -> str:
    """Return the tone of a status by its name, empty for none."""
    return _TONES_BY_NAME.get(status, _OTHER[0])
