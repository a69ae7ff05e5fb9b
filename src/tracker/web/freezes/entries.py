"""The fields of a freeze window in a form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

from tracker.domain.times import timestamp
from tracker.errors import FieldViolation, invalid
from tracker.pb import freeze_pb
from tracker.time_text import TIME, read_zone
from tracker.web.record.entries import moment_entry

if TYPE_CHECKING:
    from tracker.web.times import Times
    from tracker.web.visit import Visit

R = TypeVar("R", freeze_pb.CreateFreezeWindowRequest, freeze_pb.UpdateFreezeWindowRequest)

TYPES: Final = (("hard", "hard: nothing may be deployed"), ("soft", "soft: whoever deploys is warned"))
RULES: Final = (
    ("FREQ=WEEKLY;BYDAY=FR", "every Friday"),
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
    ("FREQ=MONTHLY;BYMONTHDAY=-1", "the last day of each month"),
    ("FREQ=YEARLY", "every year"),
)
"""Examples of rules, and what they mean."""
_TEXTS: Final = ("title", "description", "rrule", "duration", "timezone")
_LISTS: Final = ("environments", "services", "teams")
_BETWEEN: Final = re.compile(r"[,\s]+")


def entries_of(window: freeze_pb.FreezeWindow, times: Times) -> dict[str, str]:
    """Return what the fields of a form say of a freeze window; its duration stands for its end."""
    return {
        **{name: getattr(window, name) for name in _TEXTS},
        **{name: ", ".join(getattr(window, name)) for name in _LISTS},
        "type": "soft" if window.type is freeze_pb.FreezeType.SOFT else "hard",
        "starts_at": moment_entry(window.starts_at, times),
        "ends_at": "" if window.duration else moment_entry(window.ends_at, times),
        "exceptions": ", ".join(window.exceptions),
        "active": "1" if window.active else "",
        "timezone": window.timezone or times.zone.key,
    }


def request_in(visit: Visit, request: R) -> R:
    """Return a request with the entries of a form; what no field of the form has stays.

    Raises:
        TrackerError: INVALID_ARGUMENT; an entry can't be read.
    """
    form, wrong = visit.form, list[FieldViolation]()
    for name in _TEXTS:
        setattr(request, name, form.text(name).strip())
    for name in (*_LISTS, "exceptions"):
        setattr(request, name, [each for each in _BETWEEN.split(form.text(name)) if each])
    kinds = freeze_pb.FreezeType
    request.type = kinds.SOFT if form.text("type") == "soft" else kinds.HARD
    request.active = bool(form.text("active"))
    for name in ("starts_at", "ends_at"):
        text = form.text(name)
        found = visit.clock.read(text) if text else None
        if text and found is None:
            wrong.append(FieldViolation(name, f"expected {TIME}, got {text!r}"))
        setattr(request, name, timestamp(found.low) if found else None)
    if not form.text("starts_at"):
        wrong.append(FieldViolation("starts_at", "expected when it begins"))
    if request.timezone and read_zone(request.timezone) is None:
        wrong.append(FieldViolation("timezone", "expected a time zone such as Europe/Paris"))
    if wrong:
        raise invalid(*wrong)
    return request
