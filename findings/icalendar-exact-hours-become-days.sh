#!/usr/bin/env bash
# icalendar 7.3.2: a calendar that is read and written again has other durations: 24 exact hours become a nominal day.
#
# RFC 5545 (3.3.6, 3.8.5.3) tells two kinds of duration apart: days and weeks are nominal, so that `P1D` ends at the same time
# of the next day, while hours are exact, so that `PT24H` is 24 hours also over a change of the clock. The library keeps both
# as one timedelta, and writes that as `P1D`. A daily maintenance of `PT24H` in Paris that starts at noon before the change of
# spring 2026 ends at 13:00; after the calendar has passed through the library, it ends at 12:00 for every reader that follows
# the RFC. 36 hours become a day and 12 hours, and 168 hours 7 days.
#
# Output seen:
#   PT24H is written as P1D
#   PT36H is written as P1DT12H
#   PT168H is written as P7D
#   end of PT24H from 2026-03-28 12:00 in Paris: 2026-03-29 12:00+02:00, after 23 hours
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check icalendar==7.3.2 tzdata==2026.1
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from datetime import UTC

from icalendar import Calendar

CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//example//maintenance//EN
BEGIN:VEVENT
UID:1@example.com
DTSTAMP:20260101T000000Z
DTSTART;TZID=Europe/Paris:20260328T120000
DURATION:{}
END:VEVENT
END:VCALENDAR
"""


def read(duration):
    return Calendar.from_ical(CALENDAR.format(duration).replace("\n", "\r\n"))


for duration in ("PT24H", "PT36H", "PT168H"):
    (written,) = [line for line in read(duration).to_ical().decode().splitlines() if line.startswith("DURATION")]
    print(f"{duration} is written as {written.removeprefix('DURATION:')}")
(event,) = read("PT24H").events
hours = (event.end.astimezone(UTC) - event.start.astimezone(UTC)).total_seconds() / 3600
print(f"end of PT24H from {event.start:%Y-%m-%d %H:%M} in Paris: {event.end.isoformat(' ', 'minutes')}, after {hours:g} hours")
PY
diff - "$folder/seen" <<'SEEN'
PT24H is written as P1D
PT36H is written as P1DT12H
PT168H is written as P7D
end of PT24H from 2026-03-28 12:00 in Paris: 2026-03-29 12:00+02:00, after 23 hours
SEEN
echo "as described"
