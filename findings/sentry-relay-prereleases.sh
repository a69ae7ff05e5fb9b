#!/usr/bin/env bash
# sentry-relay 0.10.1 (PyPI) and semver 3.1.2: Sentry's own comparison of versions puts rc.10 before rc.9.
#
# SemVer 2.0.0 (11.4.1) compares identifiers of digits as numbers. The library, Relay's code in Rust that Sentry's server calls
# to compare releases, puts a release after its candidates, and counts numbers of versions and builds as numbers; but a
# prerelease it compares as one text, so that rc.10 is before rc.9, and a numbered nightly `-10` before `-2`. With
# `semver_precedence=True` the order is SemVer's; its documentation speaks of leaving out the build alone, so whoever wants builds
# to count has to give up the order of candidates. What asks whether a release is at least another is wrong from the tenth
# candidate on. A number of the build as counter (`1.0.0-rc+10`) is in order by default.
#
# Output seen (-1: the first is lower):
#   1.0.0-rc.8 and 1.0.0-rc.9: sentry-relay -1, by SemVer's precedence -1, semver -1
#   1.0.0-rc.9 and 1.0.0-rc.10: sentry-relay 1, by SemVer's precedence -1, semver -1
#   1.0.0-2 and 1.0.0-10: sentry-relay 1, by SemVer's precedence -1, semver -1
#   1.0.0-rc.10 and 1.0.0: sentry-relay -1, by SemVer's precedence -1, semver -1
#   1.0.0-rc+9 and 1.0.0-rc+10: sentry-relay -1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sentry-relay==0.10.1 semver==3.1.2
cat >"$folder/compare.py" <<'PY'
from semver import Version
from sentry_relay.processing import compare_version

PAIRS = [
    ("1.0.0-rc.8", "1.0.0-rc.9"),
    ("1.0.0-rc.9", "1.0.0-rc.10"),
    ("1.0.0-2", "1.0.0-10"),
    ("1.0.0-rc.10", "1.0.0"),
]
for first, second in PAIRS:
    sentry = compare_version(first, second), compare_version(first, second, semver_precedence=True)
    semver = Version.parse(first).compare(second)
    print(f"{first} and {second}: sentry-relay {sentry[0]}, by SemVer's precedence {sentry[1]}, semver {semver}")
print("1.0.0-rc+9 and 1.0.0-rc+10: sentry-relay", compare_version("1.0.0-rc+9", "1.0.0-rc+10"))
PY
"$folder/venv/bin/python" "$folder/compare.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
1.0.0-rc.8 and 1.0.0-rc.9: sentry-relay -1, by SemVer's precedence -1, semver -1
1.0.0-rc.9 and 1.0.0-rc.10: sentry-relay 1, by SemVer's precedence -1, semver -1
1.0.0-2 and 1.0.0-10: sentry-relay 1, by SemVer's precedence -1, semver -1
1.0.0-rc.10 and 1.0.0: sentry-relay -1, by SemVer's precedence -1, semver -1
1.0.0-rc+9 and 1.0.0-rc+10: sentry-relay -1
SEEN
echo "as described"
