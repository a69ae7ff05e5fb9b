"""`tracker freeze`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cli.commands import at, tracker

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server_process import ServerProcess

CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Example//EN
BEGIN:VEVENT
UID:nights@example
SUMMARY:Nights
DTSTART;TZID=W. Europe Standard Time:20260315T023000
DURATION:PT24H
RRULE:FREQ=WEEKLY;BYDAY=SU
EXDATE;TZID=W. Europe Standard Time:20260322T023000
BEGIN:VALARM
ACTION:DISPLAY
TRIGGER:-PT5M
DURATION:PT9H
DESCRIPTION:soon
END:VALARM
END:VEVENT
BEGIN:VEVENT
UID:nights@example
RECURRENCE-ID;TZID=Europe/Berlin:20260405T023000
SUMMARY:Nights, moved
DTSTART;TZID=Europe/Berlin:20260406T023000
DTEND;TZID=Europe/Berlin:20260406T033000
END:VEVENT
BEGIN:VEVENT
UID:days@example
SUMMARY:Days
DTSTART;VALUE=DATE:20260328
DTEND;VALUE=DATE:20260330
STATUS:CONFIRMED
END:VEVENT
BEGIN:VEVENT
UID:nowhere@example
SUMMARY:Nowhere
DTSTART;TZID=Nowhere/X:20260328T100000
DTEND;TZID=Nowhere/X:20260328T110000
END:VEVENT
BEGIN:VEVENT
UID:hourly@example
SUMMARY:Hourly
DTSTART:20260328T100000Z
DTEND:20260328T101000Z
RRULE:FREQ=HOURLY
END:VEVENT
BEGIN:VEVENT
UID:off@example
SUMMARY:Off
STATUS:CANCELLED
DTSTART:20260328T100000Z
DTEND:20260328T110000Z
END:VEVENT
END:VCALENDAR
"""


def freeze(server: ServerProcess, *arguments: str, code: int = 0, **more: Any) -> Any:
    done = tracker("freeze", *arguments, environ=at(server), **more)
    assert done.returncode == code, done.stderr
    return done


def occurrences(server: ServerProcess, *arguments: str) -> list[tuple[str, str, str]]:
    listed = freeze(server, "upcoming", *arguments, "--output", "json").stdout
    return [
        (each["freezeWindow"]["title"], each["startsAt"], each["endsAt"])
        for each in json.loads(listed)["occurrences"]
    ]


def test_a_window_is_created_changed_shown_and_deleted(server: ServerProcess) -> None:
    weekly = ("--for", "2d16h", "--repeat", "FREQ=WEEKLY;BYDAY=FR", "--except", "2026-10-30")
    paris = ("--from", "2026-10-23T16:00", "--time-zone", "Europe/Paris", "--environment", "prod")
    window = freeze(server, "create", "Weekends", *paris, *weekly).stdout.strip()
    assert occurrences(server, "--since", "2026-10-20", "--until", "2026-11-08") == [
        ("Weekends", "2026-10-23T14:00:00Z", "2026-10-26T07:00:00Z"),
        ("Weekends", "2026-11-06T15:00:00Z", "2026-11-09T07:00:00Z"),
    ]
    freeze(server, "update", "Weekends", "--from", "2026-10-30T18:00", "--soft", "--service", "shop")
    shown = freeze(server, "show", window).stdout
    assert all(text in shown for text in ("2026-10-30T17:00:00Z", "soft", "shop · production", "P2DT16H"))
    freeze(server, "update", window, "--until", "2026-10-30T20:00", "--off")
    listed = freeze(server, "list", "--output", "json").stdout
    (stored,) = json.loads(listed)["freezeWindows"]
    assert (stored["endsAt"], stored["duration"], stored["active"]) == ("2026-10-30T19:00:00Z", "", False)
    assert "Weekends" in freeze(server, "list", "--service", "shop").stdout
    freeze(server, "delete", window, "--yes")
    assert "no freeze window Weekends" in freeze(server, "show", "Weekends", code=1).stderr
    assert "expected a time" in freeze(server, "create", "x", "--from", "never", code=64).stderr
    assert "expected a length" in freeze(server, "create", "x", "--from", "now", "--for", "x", code=64).stderr


def test_a_calendar_is_imported_once_however_often(server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "holidays.ics"
    file.write_text(CALENDAR.replace("\n", "\r\n"))
    zone = ("--time-zone", "Europe/Berlin", "--service", "api")
    dry = freeze(server, "import", str(file), *zone, "--dry-run", code=1)
    assert "nothing was changed" in dry.stderr
    first = freeze(server, "import", str(file), *zone, code=1).stderr
    assert "3 created, 2 refused, 1 skipped" in first
    assert "Nowhere: its time zone Nowhere/X is unknown" in first
    assert "Hourly: rrule: expected FREQ=DAILY" in first
    again = freeze(server, "import", str(file), *zone, code=1).stderr
    assert "3 updated, 2 refused, 1 skipped" in again
    assert occurrences(server, "--since", "2026-03-14", "--until", "2026-04-12", "--service", "api") == [
        ("Nights", "2026-03-15T01:30:00Z", "2026-03-16T01:30:00Z"),
        ("Days", "2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("Nights", "2026-03-29T01:30:00Z", "2026-03-30T01:30:00Z"),
        ("Nights, moved", "2026-04-06T00:30:00Z", "2026-04-06T01:30:00Z"),
    ]
    file.write_text(CALENDAR.replace("STATUS:CONFIRMED", "STATUS:CANCELLED"))
    freeze(server, "import", str(file), *zone, code=1)
    assert ("Days", "2026-03-27T23:00:00Z", "2026-03-29T22:00:00Z") not in occurrences(
        server, "--since", "2026-03-14", "--until", "2026-04-01"
    )
    refused = freeze(server, "import", "-", text="nonsense", code=64)
    assert "not a calendar" in refused.stderr
    file.write_bytes(CALENDAR.replace("Days", "F\xeate").encode("latin-1"))
    assert "the file is not UTF-8: line 27" in freeze(server, "import", str(file), code=64).stderr
    folded = CALENDAR.replace("Days", "F\xeate").encode().replace(b"\xc3\xaa", b"\xc3\n \xaa")
    file.write_bytes(folded)
    freeze(server, "import", str(file), *zone, code=1)
    assert "F\xeate" in freeze(server, "list").stdout
