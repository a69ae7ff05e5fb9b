#!/usr/bin/env bash
# croniter 7.0.0, cronsim 2.8 (PyPI), cron-parser 5.10.6, croner 11.0.1 (npm): one cron expression has up to three schedules.
#
# Berlin's clocks skip 02:00 to 03:00 on 29 March 2026, and have it twice on 25 October. All four libraries know of that:
# - `30 2 * * *`, skipped: cron-parser goes by the time that has passed (03:30), the others take the first moment after (03:00).
# - `30 2 * * *`, twice: croniter runs it twice, the others once, as cron itself does for jobs of a fixed time.
# - `0 */2 * * *`, twice: cron-parser runs 02:00 once, so that three hours pass, the others twice, so that one hour passes.
# And without a clock: `0 9 */2 * 1` is each odd day and each Monday for three of them; cronsim follows Debian's cron, where
# a field that begins with a star doesn't count as restricted: only Mondays that are odd days.
# So a page that shows the next run of another program's schedule has to use that program's library, not just its syntax.
#
# Output seen:
#   30 2 * * * in spring: croniter 03:00, cronsim 03:00, cron-parser 03:30, croner 03:00
#   30 2 * * * in autumn: croniter 02:30+02 02:30+01, cronsim 02:30+02, cron-parser 02:30+02, croner 02:30+02
#   0 */2 * * * in autumn: croniter 00+02 02+02 02+01 04+01, cronsim 00+02 02+02 02+01 04+01, cron-parser 00+02 02+02 04+01,
#     croner 00+02 02+02 02+01 04+01
#   0 9 */2 * 1 in February: croniter 1 2 3 5 7 9, cronsim 9, cron-parser 1 2 3 5 7 9, croner 1 2 3 5 7 9
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check croniter==7.0.0 cronsim==2.8
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save cron-parser@5.10.6 croner@11.0.1)
cat >"$folder/runs.py" <<'PY'
import itertools
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

library, expression, start, end = sys.argv[1:]
begin, stop = (datetime.fromisoformat(text).astimezone(ZoneInfo("Europe/Berlin")) for text in (start, end))
runs = CronSim(expression, begin) if library == "cronsim" else croniter(expression, begin).all_next(datetime)
for run in itertools.takewhile(lambda run: run < stop, runs):
    print(run.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
PY
cat >"$folder/runs.mjs" <<'JS'
import { CronExpressionParser } from "cron-parser";
import { Cron } from "croner";
const [, , library, expression, start, end] = process.argv;
const zone = "Europe/Berlin";
let last = new Date(start);
const parsed = CronExpressionParser.parse(expression, { currentDate: last, tz: zone });
const cron = new Cron(expression, { timezone: zone });
while ((last = library === "croner" ? cron.nextRun(last) : parsed.next().toDate()) < new Date(end))
  console.log(last.toISOString().replace(".000", ""));
JS
runs() {
  case $1 in
    croni* | cronsim) "$folder/venv/bin/python" "$folder/runs.py" "$@" ;;
    *) (cd "$folder" && node runs.mjs "$@") ;;
  esac
}
# The moments of each library, as UTC; +02 is summer time, +01 winter time.
of_all() {
  local name=$1 shown=() library
  shift
  for library in croniter cronsim cron-parser croner; do
    shown+=("$library $(runs "$library" "$@" | while read -r at; do TZ=Europe/Berlin date -d "$at" "+$format"; done | xargs)")
  done
  local listed
  listed=$(printf '%s, ' "${shown[@]}")
  echo "$name: ${listed%, }"
}
{
  format=%H:%M of_all "30 2 * * * in spring" "30 2 * * *" 2026-03-28T22:00:00+00:00 2026-03-29T10:00:00+00:00
  format=%H:%M%:::z of_all "30 2 * * * in autumn" "30 2 * * *" 2026-10-24T21:00:00+00:00 2026-10-25T10:00:00+00:00
  format=%H%:::z of_all "0 */2 * * * in autumn" "0 */2 * * *" 2026-10-24T21:30:00+00:00 2026-10-25T04:00:00+00:00
  format=%-d of_all "0 9 */2 * 1 in February" "0 9 */2 * 1" 2026-01-31T23:00:00+00:00 2026-02-10T00:00:00+00:00
} >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
30 2 * * * in spring: croniter 03:00, cronsim 03:00, cron-parser 03:30, croner 03:00
30 2 * * * in autumn: croniter 02:30+02 02:30+01, cronsim 02:30+02, cron-parser 02:30+02, croner 02:30+02
0 */2 * * * in autumn: croniter 00+02 02+02 02+01 04+01, cronsim 00+02 02+02 02+01 04+01, cron-parser 00+02 02+02 04+01, croner 00+02 02+02 02+01 04+01
0 9 */2 * 1 in February: croniter 1 2 3 5 7 9, cronsim 9, cron-parser 1 2 3 5 7 9, croner 1 2 3 5 7 9
SEEN
echo "as described"
