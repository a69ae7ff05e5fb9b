#!/usr/bin/env bash
# pydantic 2.14.4, msgspec 0.23.0 (PyPI) and @js-temporal/polyfill 0.5.1 (npm): 365 days are written as a year.
#
# pydantic writes a timedelta as an ISO 8601 duration. Up to 364 days it counts days; 365 of them become `P1Y`, and 400 `P1Y35D`.
# pydantic reads both back as they were, for it a year has 365 days. For every other reader that knows years, and for a person,
# a year ends on the same date, so that over a 29 February it is 366 days: a retention of 365 days counted from 1 January
# 2028 ends a day late, and 730 days can't be told from two years. msgspec writes `P365D`, and refuses what pydantic wrote,
# as a duration with years has no length. The same service that works in tests with 90 days fails with a policy of one year.
# `ser_json_timedelta="float"` writes seconds.
#
# Output seen:
#   364 days: written P364D, pydantic reads 364 days, msgspec 364 days, Temporal 364 days from 2028-01-01
#   365 days: written P1Y, pydantic reads 365 days, msgspec refused, Temporal 366 days from 2028-01-01
#   400 days: written P1Y35D, pydantic reads 400 days, msgspec refused, Temporal 401 days from 2028-01-01
#   730 days: written P2Y, pydantic reads 730 days, msgspec refused, Temporal 731 days from 2028-01-01
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 msgspec==0.23.0
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save @js-temporal/polyfill@0.5.1)
cat >"$folder/write.py" <<'PY'
import json
from datetime import timedelta

import msgspec
from pydantic import TypeAdapter

for days in (364, 365, 400, 730):
    written = TypeAdapter(timedelta).dump_json(timedelta(days=days))
    try:
        read = f"{msgspec.json.decode(written, type=timedelta).days} days"
    except msgspec.ValidationError:
        read = "refused"
    again = TypeAdapter(timedelta).validate_json(written).days
    print(json.dumps([days, json.loads(written), f"pydantic reads {again} days, msgspec {read}"]))
PY
cat >"$folder/read.js" <<'JS'
const { Temporal } = require("@js-temporal/polyfill");
const start = Temporal.PlainDate.from("2028-01-01");
for (const line of require("fs").readFileSync(0, "utf8").trim().split("\n")) {
  const [days, written, others] = JSON.parse(line);
  const end = start.add(Temporal.Duration.from(written));
  console.log(`${days} days: written ${written}, ${others}, Temporal ${start.until(end).days} days from ${start}`);
}
JS
"$folder/venv/bin/python" "$folder/write.py" >"$folder/written"
(cd "$folder" && node read.js <written) >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
364 days: written P364D, pydantic reads 364 days, msgspec 364 days, Temporal 364 days from 2028-01-01
365 days: written P1Y, pydantic reads 365 days, msgspec refused, Temporal 366 days from 2028-01-01
400 days: written P1Y35D, pydantic reads 400 days, msgspec refused, Temporal 401 days from 2028-01-01
730 days: written P2Y, pydantic reads 730 days, msgspec refused, Temporal 731 days from 2028-01-01
SEEN
echo "as described"
