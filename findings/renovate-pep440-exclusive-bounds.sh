#!/usr/bin/env bash
# @renovatebot/pep440 4.2.4 (npm) and packaging 26.4 (PyPI): in `>1.0rc1` there is no 1.0, in `<1.0rc2` no 1.0rc1.
#
# Renovate asks this package which of a Python project's versions are in a range. It orders versions as PyPA's `packaging` does,
# which pip asks. PEP 440 keeps `>1.0` from 1.0.post1, and `<1.0` from 1.0rc1, unless the bound itself is a post-release or a
# prerelease. The package leaves out every version of the bound's release number, whatever the bound is: whoever waits for more
# than a candidate (`>1.0rc1`) gets neither the next one nor the release, only 1.0.1. A bound without an epoch excludes versions
# of the same number in a later epoch. A prefix is compared as text: 1.4 isn't in `==1.4.0.*`, and is in `!=1.4.0.*`.
# So pip installs what no update is proposed for. Inclusive bounds are right: `>=1.0rc2` says what `>1.0rc1` means.
#
# Output seen (@renovatebot/pep440, packaging):
#   >1.0rc1 1.0rc2: not in it, in it
#   >1.0rc1 1.0: not in it, in it
#   >1.0rc1 1.0.1: in it, in it
#   >=1.0rc1 1.0: in it, in it
#   <1.0rc2 1.0rc1: not in it, in it
#   <1.0.post1 1.0: not in it, in it
#   >1.0.post1 1.0.post2: not in it, in it
#   >1.0 1.0.post1: not in it, not in it
#   >1.0 1!1.0: not in it, in it
#   ==1.4.0.* 1.4: not in it, in it
#   !=1.4.0.* 1.4: in it, not in it
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check packaging==26.4
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save @renovatebot/pep440@4.2.4)
cat >"$folder/pairs" <<'PAIRS'
>1.0rc1 1.0rc2
>1.0rc1 1.0
>1.0rc1 1.0.1
>=1.0rc1 1.0
<1.0rc2 1.0rc1
<1.0.post1 1.0
>1.0.post1 1.0.post2
>1.0 1.0.post1
>1.0 1!1.0
==1.4.0.* 1.4
!=1.4.0.* 1.4
PAIRS
cat >"$folder/contains.js" <<'JS'
const { satisfies } = require("@renovatebot/pep440");
for (const line of require("fs").readFileSync(0, "utf8").trim().split("\n")) {
  const [range, version] = line.split(" ");
  console.log(satisfies(version, range, { prereleases: true }) ? "in it" : "not in it");
}
JS
cat >"$folder/contains.py" <<'PY'
import sys

from packaging.specifiers import SpecifierSet

for line in sys.stdin:
    given, version = line.split()
    print("in it" if SpecifierSet(given).contains(version, prereleases=True) else "not in it")
PY
(cd "$folder" && node contains.js <pairs >of-javascript)
"$folder/venv/bin/python" "$folder/contains.py" <"$folder/pairs" >"$folder/of-python"
paste -d '|' "$folder/pairs" "$folder/of-javascript" "$folder/of-python" | sed 's/|/: /; s/|/, /' >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
>1.0rc1 1.0rc2: not in it, in it
>1.0rc1 1.0: not in it, in it
>1.0rc1 1.0.1: in it, in it
>=1.0rc1 1.0: in it, in it
<1.0rc2 1.0rc1: not in it, in it
<1.0.post1 1.0: not in it, in it
>1.0.post1 1.0.post2: not in it, in it
>1.0 1.0.post1: not in it, not in it
>1.0 1!1.0: not in it, in it
==1.4.0.* 1.4: not in it, in it
!=1.4.0.* 1.4: in it, not in it
SEEN
echo "as described"
