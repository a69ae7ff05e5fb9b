"""What calendars of iCalendar (RFC 5545) have in common, and answers with them."""

from __future__ import annotations

import gzip
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from tracker.api.http_exchange import HttpResponse
from tracker.errors import Code
from tracker.time_text import datetime_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tracker.errors import TrackerError
    from tracker.web.visit import Visit

_OCTETS: Final = 75
"""Octets of a line without its end (RFC 5545, 3.1)."""
_SPECIAL: Final = re.compile(r"[\\;,\n]")
_BREAK: Final = re.compile(r"\r\n?")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_LEVEL: Final = 4
"""How hard a calendar is compressed: a higher level takes longer than it saves."""
_HEAD: Final = (
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Tracker//Tracker//EN",
    "CALSCALE:GREGORIAN",
    "NAME:Tracker",
    "X-WR-CALNAME:Tracker",
    "REFRESH-INTERVAL;VALUE=DURATION:PT15M",
    "X-PUBLISHED-TTL:PT15M",
)


def calendar_of(components: Iterable[str]) -> bytes:
    """Return a calendar with the lines of some components."""
    return b"".join(folded(line) for line in (*_HEAD, *components, "END:VCALENDAR"))


def escaped(text: str) -> str:
    """Return a value of type TEXT (RFC 5545, 3.3.11), without control characters."""
    plain = _CONTROL.sub("", _BREAK.sub("\n", text))
    return _SPECIAL.sub(lambda found: "\\n" if found[0] == "\n" else f"\\{found[0]}", plain)


def folded(line: str) -> bytes:
    """Return a line of any length as lines of up to 75 octets, none of which divides a character."""
    parts, rest, room = list[bytes](), line.encode(errors="replace"), _OCTETS
    while len(rest) > room:
        cut = room
        while rest[cut] & 0xC0 == 0x80:  # noqa: PLR2004 - a byte that continues a character of UTF-8
            cut -= 1
        parts.append(rest[:cut])
        rest, room = rest[cut:], _OCTETS - 1
    return b"\r\n ".join([*parts, rest]) + b"\r\n"


def utc_text(moment: int) -> str:
    """Return a moment as a value of type DATE-TIME, in UTC."""
    return f"{datetime_of(moment):%Y%m%dT%H%M%SZ}"


def refusal(error: TrackerError) -> HttpResponse:
    """Return the answer to a program that may not have a calendar, as a text that it can show."""
    headers = [("content-type", "text/plain; charset=utf-8")]
    if error.code is Code.UNAUTHENTICATED:
        headers.append(("www-authenticate", 'Basic realm="tracker", charset="UTF-8"'))
    return HttpResponse(f"{error.message}\n".encode(), headers, HTTPStatus(error.reason.http_status))


def calendar_answer(visit: Visit, body: bytes) -> HttpResponse:
    """Return the answer with a calendar, compressed if the program takes it so."""
    headers = [
        ("content-type", "text/calendar; charset=utf-8"),
        ("content-disposition", 'inline; filename="tracker.ics"'),
        ("cache-control", "private, no-cache"),
        ("vary", "accept-encoding"),
    ]
    if "gzip" in visit.call.headers.get("accept-encoding", ""):
        body = gzip.compress(body, _LEVEL, mtime=0)
        headers.append(("content-encoding", "gzip"))
    return HttpResponse(body, headers)
