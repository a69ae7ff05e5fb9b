#!/usr/bin/env bash
# ical.js 2.2.1 and rrule-temporal 2.2.8 (npm): ical.js has other dates for three valid rules, without an error.
#
# Thunderbird and Nextcloud expand recurrences with ical.js. RFC 5545 (3.3.10) ignores a date that does not exist, so that a
# yearly event of 29 February comes in leap years; ical.js moves it to 1 March in the other years, and stays there. A yearly
# rule with BYWEEKNO=1 is about the first week of the year; ical.js takes the weeks after it. BYSETPOS chooses among the dates of one
# period, in a weekly rule those of a week; ical.js leaves it out where the rule is weekly.
# rrule-temporal has all three as the RFC has them, and so does python-dateutil. Whoever offers a calendar for subscription
# can't rely on these rules: list such dates (RDATE), or check how the reader shows them.
#
# Output seen:
#   FREQ=YEARLY from 2024-02-29
#     ical.js: 2024-02-29 2025-03-01 2026-03-01
#     rrule-temporal: 2024-02-29 2028-02-29 2032-02-29
#   FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO from 2027-01-04
#     ical.js: 2027-01-11 2027-01-18 2027-01-25
#     rrule-temporal: 2027-01-04 2028-01-03 2029-01-01
#   FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1 from 2026-03-06
#     ical.js: 2026-03-06 2026-03-09 2026-03-11
#     rrule-temporal: 2026-03-06 2026-03-13 2026-03-20
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save ical.js@2.2.1 rrule-temporal@2.2.8)
cat >"$folder/expand.mjs" <<'JS'
import ICAL from "ical.js";
import { RRuleTemporal } from "rrule-temporal";
const rules = [
  ["FREQ=YEARLY", "2024-02-29"],
  ["FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO", "2027-01-04"],
  ["FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1", "2026-03-06"],
];
for (const [rule, start] of rules) {
  console.log(`${rule} from ${start}`);
  const begin = `${start}T09:00:00Z`;
  const iterator = ICAL.Recur.fromString(rule).iterator(ICAL.Time.fromDateTimeString(begin));
  console.log(`  ical.js: ${[1, 2, 3].map(() => iterator.next().toString().slice(0, 10)).join(" ")}`);
  const rruleString = `DTSTART:${begin.replace(/[-:]/g, "")}\nRRULE:${rule};COUNT=3`;
  const dates = new RRuleTemporal({ rruleString }).all().map((date) => date.toPlainDate().toString());
  console.log(`  rrule-temporal: ${dates.join(" ")}`);
}
JS
(cd "$folder" && node expand.mjs) >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
FREQ=YEARLY from 2024-02-29
  ical.js: 2024-02-29 2025-03-01 2026-03-01
  rrule-temporal: 2024-02-29 2028-02-29 2032-02-29
FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO from 2027-01-04
  ical.js: 2027-01-11 2027-01-18 2027-01-25
  rrule-temporal: 2027-01-04 2028-01-03 2029-01-01
FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1 from 2026-03-06
  ical.js: 2026-03-06 2026-03-09 2026-03-11
  rrule-temporal: 2026-03-06 2026-03-13 2026-03-20
SEEN
echo "as described"
