#!/usr/bin/env bash
# semantic-version 2.10.0 (PyPI) and semver 7.8.6 (npm): npm's ranges with a candidate have versions that they exclude.
#
# NpmSpec is there to read ranges as npm does. A bound with a prerelease it takes a second time without that part, and joins
# both: `=1.2.0-rc.1`, an exact pin, has 1.2.0 too; `<1.2.0-rc.2` has rc.2 itself, and each later candidate; `<=1.2.0-rc.1`
# has the release. Lower bounds are right. Where no bound has a prerelease, `<1.2.0` has 1.2.0-rc.1, which npm leaves out.
# So a service that is pinned to the candidate under test takes the release, and one that has to stay below a candidate takes
# that. SimpleSpec of the same package has none of this, and knows `^` and `~`, but not npm's `1.x`, hyphens or `||`.
#
# Output seen (NpmSpec, SimpleSpec, npm):
#   =1.2.0-rc.1 1.2.0-rc.1: True, True, True
#   =1.2.0-rc.1 1.2.0: True, False, False
#   <1.2.0-rc.2 1.2.0-rc.1: True, True, True
#   <1.2.0-rc.2 1.2.0-rc.2: True, False, False
#   <1.2.0-rc.2 1.2.0-rc.3: True, False, False
#   <=1.2.0-rc.1 1.2.0: True, False, False
#   >=1.2.0-rc.2 1.2.0-rc.1: False, False, False
#   <1.2.0 1.2.0-rc.1: True, False, False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check semantic-version==2.10.0
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save semver@7.8.6)
cat >"$folder/pairs" <<'PAIRS'
=1.2.0-rc.1 1.2.0-rc.1
=1.2.0-rc.1 1.2.0
<1.2.0-rc.2 1.2.0-rc.1
<1.2.0-rc.2 1.2.0-rc.2
<1.2.0-rc.2 1.2.0-rc.3
<=1.2.0-rc.1 1.2.0
>=1.2.0-rc.2 1.2.0-rc.1
<1.2.0 1.2.0-rc.1
PAIRS
cat >"$folder/match.py" <<'PY'
import sys

from semantic_version import NpmSpec, SimpleSpec, Version

for line in sys.stdin:
    given, version = line.split()
    npm, simple = (kind(given).match(Version(version)) for kind in (NpmSpec, SimpleSpec))
    print(f"{given} {version}: {npm}, {simple}")
PY
cat >"$folder/match.js" <<'JS'
const { satisfies } = require("semver");
for (const line of require("fs").readFileSync(0, "utf8").trim().split("\n")) {
  const [range, version] = line.split(" ");
  console.log(satisfies(version, range) ? "True" : "False");
}
JS
"$folder/venv/bin/python" "$folder/match.py" <"$folder/pairs" >"$folder/of-python"
(cd "$folder" && node match.js <pairs >of-javascript)
paste -d '|' "$folder/of-python" "$folder/of-javascript" | sed 's/|/, /' >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
=1.2.0-rc.1 1.2.0-rc.1: True, True, True
=1.2.0-rc.1 1.2.0: True, False, False
<1.2.0-rc.2 1.2.0-rc.1: True, True, True
<1.2.0-rc.2 1.2.0-rc.2: True, False, False
<1.2.0-rc.2 1.2.0-rc.3: True, False, False
<=1.2.0-rc.1 1.2.0: True, False, False
>=1.2.0-rc.2 1.2.0-rc.1: False, False, False
<1.2.0 1.2.0-rc.1: True, False, False
SEEN
echo "as described"
