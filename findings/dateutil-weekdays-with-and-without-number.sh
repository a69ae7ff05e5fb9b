#!/usr/bin/env bash
# python-dateutil 4.0.0: a rule whose BYDAY has a weekday with a number and one without gives no days.
#
# RFC 5545 (3.3.10) says of BYDAY in a monthly rule that each element stands for itself: `TU,1MO` is every Tuesday, and the
# first Monday. dateutil keeps the elements with a number apart from those without, and takes only days that fit both: a day
# would have to be a Tuesday and the first Monday. Each element alone is right. The rule is not refused: it has no dates.
#
# Output seen (June 2026):
#   TU: 2 9 16 23 30
#   1MO: 1
#   TU,1MO: none
#   2TU,1MO: 1 9
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check python-dateutil==4.0.0
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from datetime import datetime

from dateutil.rrule import rrulestr

for days in ("TU", "1MO", "TU,1MO", "2TU,1MO"):
    rule = rrulestr(f"FREQ=MONTHLY;BYDAY={days};UNTIL=20260630T000000", dtstart=datetime(2026, 6, 1))
    print(f"{days}: {' '.join(str(each.day) for each in rule) or 'none'}")
PY
diff - "$folder/seen" <<'SEEN'
TU: 2 9 16 23 30
1MO: 1
TU,1MO: none
2TU,1MO: 1 9
SEEN
echo "as described"
