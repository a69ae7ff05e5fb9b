#!/usr/bin/env bash
# icalendar 7.3.2: a VTIMEZONE that it adds changes to summer time an hour late.
#
# `Calendar.add_missing_timezones()` writes a component for each zone that a calendar names. RFC 5545 (3.6.5) gives the
# moments of changes in local time before the change (TZOFFSETFROM). In 2026, Paris goes from +01:00 at 02:00, and from
# +02:00 at 03:00. The component has 03:00 for both: right in autumn, but in spring a reader that follows it uses winter time
# for an hour longer. The first change of the component, its DTSTART, is at 02:00 as it should be; those after it are wrong.
#
# Output seen:
#   first change to summer time, DTSTART: 1976-03-28 02:00, from +01:00
#   to summer time in 2026, RDATE: 2026-03-29 03:00, from +01:00
#   to winter time in 2026, RDATE: 2026-10-25 03:00, from +02:00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check icalendar==7.3.2 tzdata==2026.1
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

calendar, event = Calendar(), Event()
event.add("dtstart", datetime(2026, 1, 30, 16, tzinfo=ZoneInfo("Europe/Paris")))
calendar.add_component(event)
calendar.add_missing_timezones()
(zone,) = calendar.timezones


def offset(part):
    return f"+{part['TZOFFSETFROM'].td // timedelta(hours=1):02}:00"


def changes(kind):
    for part in zone.walk(kind):
        given = part.get("RDATE", [])
        for dates in given if isinstance(given, list) else [given]:
            yield from ((each.dt, offset(part)) for each in dates.dts)


first = min(zone.walk("DAYLIGHT"), key=lambda part: part["DTSTART"].dt)
print(f"first change to summer time, DTSTART: {first['DTSTART'].dt:%Y-%m-%d %H:%M}, from {offset(first)}")
for season, kind in (("summer", "DAYLIGHT"), ("winter", "STANDARD")):
    ((moment, before),) = [each for each in changes(kind) if each[0].year == 2026]
    print(f"to {season} time in 2026, RDATE: {moment:%Y-%m-%d %H:%M}, from {before}")
PY
diff - "$folder/seen" <<'SEEN'
first change to summer time, DTSTART: 1976-03-28 02:00, from +01:00
to summer time in 2026, RDATE: 2026-03-29 03:00, from +01:00
to winter time in 2026, RDATE: 2026-10-25 03:00, from +02:00
SEEN
echo "as described"
