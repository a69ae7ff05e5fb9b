#!/usr/bin/env bash
# sqlean.py 3.50.4.5 (PyPI): a time that is truncated to its week can lie after itself, and is seldom a Monday.
#
# The extension for times in SQLite has `date_trunc('week', t)`, by the name and with the fields of PostgreSQL, which goes back
# to Monday. This one counts weeks of seven days from 1 January, as many as the number of the ISO week says: in 2026, which
# began with a Thursday, all weeks have the date of their Thursday, and a Monday's deployment is truncated to three days later.
# The days of a week stay together, but under a weekday that is another each year, so that two weeks are one, two, eight or nine
# days apart at the turn of a year, and a series doesn't meet one of another database; `date_trunc('week', t) <= t` fails. Only
# in years that begin with a Monday is it PostgreSQL's. SQLite's own functions find it: `date(t, '-6 days', 'weekday 1')`.
#
# Output seen:
#   Wed 2024-06-12: week of Mon 2024-06-10, SQLite's own 2024-06-10
#   Tue 2025-06-10: week of Wed 2025-06-11, SQLite's own 2025-06-09
#   Mon 2026-06-08: week of Thu 2026-06-11, SQLite's own 2026-06-08
#   Sun 2026-06-14: week of Thu 2026-06-11, SQLite's own 2026-06-08
#   Mon 2027-06-14: week of Fri 2027-06-11, SQLite's own 2027-06-14
#   of 1461 days, 104 are truncated to a later one
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlean.py==3.50.4.5
cat >"$folder/weeks.py" <<'PY'
from datetime import date, timedelta

import sqlean

sqlean.extensions.enable_all()
database = sqlean.connect(":memory:")
QUERY = "SELECT time_fmt_date(date_trunc('week', time_date(?, ?, ?))), date(?, '-6 days', 'weekday 1')"


def week(day):
    return database.execute(QUERY, (day.year, day.month, day.day, day.isoformat())).fetchone()


for day in (date(2024, 6, 12), date(2025, 6, 10), date(2026, 6, 8), date(2026, 6, 14), date(2027, 6, 14)):
    truncated, monday = week(day)
    print(f"{day:%a} {day}: week of {date.fromisoformat(truncated):%a} {truncated}, SQLite's own {monday}")
days = [date(2020, 1, 1) + timedelta(number) for number in range(366 + 365 * 3)]
later = sum(week(day)[0] > day.isoformat() for day in days)
print(f"of {len(days)} days, {later} are truncated to a later one")
PY
"$folder/venv/bin/python" "$folder/weeks.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
Wed 2024-06-12: week of Mon 2024-06-10, SQLite's own 2024-06-10
Tue 2025-06-10: week of Wed 2025-06-11, SQLite's own 2025-06-09
Mon 2026-06-08: week of Thu 2026-06-11, SQLite's own 2026-06-08
Sun 2026-06-14: week of Thu 2026-06-11, SQLite's own 2026-06-08
Mon 2027-06-14: week of Fri 2027-06-11, SQLite's own 2027-06-14
of 1461 days, 104 are truncated to a later one
SEEN
echo "as described"
