#!/usr/bin/env bash
# semver 7.8.6 (npm) and 3.1.2 (PyPI): prereleases that differ in a number of 17 digits are one version to npm's package.
#
# SemVer 2.0.0 (11.4.1) compares identifiers of digits alone as numbers, of any length. Builds often number prereleases by
# the moment, and one with milliseconds has 17 digits: above 2^53 neighbours are the same double. npm's package keeps such an
# identifier as text, so that both print as they were, but compares them as doubles: it calls them equal, sorts them by
# chance, finds no update from one to the other, and even takes `….124` and `….123.1` for equal, although one has an
# identifier more. Its increment appends `.0` to such a number, as to a word. Python's package tells all of them apart.
# With a letter in the identifier (`t20261129101851123`), both packages compare texts, and agree.
#
# Output seen (npm, Python):
#   1.0.0-rc.20261129101851123 and 1.0.0-rc.20261129101851124: 0, -1
#   1.0.0-rc.20261129101851124 and 1.0.0-rc.20261129101851123.1: 0, 1
#   1.0.0-rc.t20261129101851123 and 1.0.0-rc.t20261129101851124: -1, -1
#   1.0.0-rc.20261129101851 and 1.0.0-rc.20261129101852: -1, -1
#   next prerelease of 1.0.0-rc.20261129101851123: 1.0.0-rc.20261129101851123.0, 1.0.0-rc.20261129101851124
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check semver==3.1.2
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save semver@7.8.6)
javascript() { (cd "$folder" && node -p "const s = require('semver'); $1"); }
python() { "$folder/venv/bin/python" -c "from semver import Version; print($1)"; }
compare() {
  echo "$1 and $2: $(javascript "s.compare('$1', '$2')"), $(python "Version.parse('$1').compare('$2')")"
}
{
  compare 1.0.0-rc.20261129101851123 1.0.0-rc.20261129101851124
  compare 1.0.0-rc.20261129101851124 1.0.0-rc.20261129101851123.1
  compare 1.0.0-rc.t20261129101851123 1.0.0-rc.t20261129101851124
  compare 1.0.0-rc.20261129101851 1.0.0-rc.20261129101852
  number=1.0.0-rc.20261129101851123
  next="$(javascript "s.inc('$number', 'prerelease')"), $(python "Version.parse('$number').bump_prerelease()")"
  echo "next prerelease of $number: $next"
} >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
1.0.0-rc.20261129101851123 and 1.0.0-rc.20261129101851124: 0, -1
1.0.0-rc.20261129101851124 and 1.0.0-rc.20261129101851123.1: 0, 1
1.0.0-rc.t20261129101851123 and 1.0.0-rc.t20261129101851124: -1, -1
1.0.0-rc.20261129101851 and 1.0.0-rc.20261129101852: -1, -1
next prerelease of 1.0.0-rc.20261129101851123: 1.0.0-rc.20261129101851123.0, 1.0.0-rc.20261129101851124
SEEN
echo "as described"
