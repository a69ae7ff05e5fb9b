#!/usr/bin/env bash
# recurring-ical-events 3.8.2 (python-dateutil 2.9.0.post0): FREQ=HOURLY on a day when clocks change.
#
# Hours of a rule are counted on the wall clock of its zone. On the day that loses an hour, the wall clock's 02:00 does not
# exist and stands for 03:00, which comes too: five hourly occurrences have four moments, one of them twice, where RFC 5545
# (3.3.10) ignores an occurrence at a local time that does not exist. On the day that has an hour twice, only the first of
# both has an occurrence: for two hours nothing happens. For a schedule by the hour, write the rule in UTC.
#
# Output seen:
#   2026-03-29: 23:00Z 00:00Z 01:00Z 01:00Z 02:00Z
#   2026-10-25: 22:00Z 23:00Z 00:00Z 02:00Z 03:00Z
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    recurring-ical-events==3.8.2 icalendar==7.3.0 python-dateutil==2.9.0.post0 tzdata==2026.6
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from datetime import UTC

import icalendar
import recurring_ical_events

for day in ("2026-03-29", "2026-10-25"):
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:example",
        "BEGIN:VEVENT",
        "UID:1",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART;TZID=Europe/Paris:{day.replace('-', '')}T000000",
        "DURATION:PT5M",
        "RRULE:FREQ=HOURLY;COUNT=5",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    )
    calendar = icalendar.Calendar.from_ical("\r\n".join(lines))
    events = recurring_ical_events.of(calendar).between((2026, 1, 1), (2027, 1, 1))
    print(f"{day}:", *(event.start.astimezone(UTC).strftime("%H:%MZ") for event in events))
PY
diff - "$folder/seen" <<'SEEN'
2026-03-29: 23:00Z 00:00Z 01:00Z 01:00Z 02:00Z
2026-10-25: 22:00Z 23:00Z 00:00Z 02:00Z 03:00Z
SEEN
echo "as described"
