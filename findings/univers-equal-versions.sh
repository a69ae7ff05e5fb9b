#!/usr/bin/env bash
# univers 32.0.1 (PyPI): equal versions are two keys of a dict, can be no key at all, or are neither equal nor in order.
#
# The library compares versions of many ecosystems by one interface. Maven's 1.0 and 1.0.0 are one version, as are NuGet's 1.0
# and 1.0.0+b1, and RPM's 1.0 and 01.0; the library says so too, but their hashes differ: a set holds both, and a dict that was
# filled with one doesn't find the other. Versions of Alpine and Gentoo have no hash. Debian's 1.0 and 01.0 are one version by
# its policy (numbers are compared as numbers): the library finds neither below the other, and both unequal.
# So group by comparison after a sort, not by a key; and test `not (a < b or b < a)` where equality counts.
#
# Output seen:
#   MavenVersion 1.0 and 1.0.0: equal True, below False, above False, members of a set 2
#   NugetVersion 1.0 and 1.0.0+b1: equal True, below False, above False, members of a set 2
#   RpmVersion 1.0 and 01.0: equal True, below False, above False, members of a set 2
#   AlpineLinuxVersion 1.0 and 1.0: equal True, below False, above False, members of a set TypeError
#   GentooVersion 1.0 and 1.0: equal True, below False, above False, members of a set TypeError
#   DebianVersion 1.0 and 01.0: equal False, below False, above False, members of a set 2
#   PypiVersion 1.0 and 1.0.0: equal True, below False, above False, members of a set 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check univers==32.0.1
cat >"$folder/compare.py" <<'PY'
from univers import versions

PAIRS = [
    (versions.MavenVersion, "1.0", "1.0.0"),
    (versions.NugetVersion, "1.0", "1.0.0+b1"),
    (versions.RpmVersion, "1.0", "01.0"),
    (versions.AlpineLinuxVersion, "1.0", "1.0"),
    (versions.GentooVersion, "1.0", "1.0"),
    (versions.DebianVersion, "1.0", "01.0"),
    (versions.PypiVersion, "1.0", "1.0.0"),
]
for kind, first, second in PAIRS:
    one, other = kind(first), kind(second)
    try:
        members = len({one, other})
    except TypeError:
        members = "TypeError"
    compared = f"equal {one == other}, below {one < other}, above {one > other}"
    print(f"{kind.__name__} {first} and {second}: {compared}, members of a set {members}")
PY
"$folder/venv/bin/python" "$folder/compare.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
MavenVersion 1.0 and 1.0.0: equal True, below False, above False, members of a set 2
NugetVersion 1.0 and 1.0.0+b1: equal True, below False, above False, members of a set 2
RpmVersion 1.0 and 01.0: equal True, below False, above False, members of a set 2
AlpineLinuxVersion 1.0 and 1.0: equal True, below False, above False, members of a set TypeError
GentooVersion 1.0 and 1.0: equal True, below False, above False, members of a set TypeError
DebianVersion 1.0 and 01.0: equal False, below False, above False, members of a set 2
PypiVersion 1.0 and 1.0.0: equal True, below False, above False, members of a set 1
SEEN
echo "as described"
