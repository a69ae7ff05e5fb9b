#!/usr/bin/env bash
# structured-headers 2.1.0 (npm), http-sfv 0.9.9 (PyPI): a decimal that rounds to a whole number makes a field invalid.
#
# RFC 9651 (4.1.5) rounds a decimal to three digits, and writes at least one digit after the point: 99.9999 is `100.0`. The
# library takes off the zeros and leaves the point. The RFC's parser fails there, and a field that fails is ignored as a whole
# (4.2): an availability in a field of several members takes the others with it. The library itself refuses what it wrote.
# It happens once in many values, as few are so near to a whole number: 99.95 is fine, and a whole number is an integer.
# http-sfv writes `100.0`, and is lenient as it reads `100.`, which hides it between these two. Round to three digits first.
#
# Output seen:
#   99.95: availability=99.95, errors=3 (read by itself: availability and errors)
#   99.9999: availability=100., errors=3 (read by itself: Error)
#   0.0004: availability=0., errors=3 (read by itself: Error)
#   100: availability=100, errors=3 (read by itself: availability and errors)
#   http-sfv writes availability=100.0, errors=3
#   http-sfv reads availability=100. as 100
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check http-sfv==0.9.9
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save structured-headers@2.1.0)
cat >"$folder/write.mjs" <<'JS'
import { parseDictionary, serializeDictionary } from "structured-headers";
for (const availability of [99.95, 99.9999, 0.0004, 100]) {
  const field = serializeDictionary({ availability, errors: 3 });
  let read;
  try {
    read = [...parseDictionary(field).keys()].join(" and ");
  } catch (error) {
    read = error.name;
  }
  console.log(`${availability}: ${field} (read by itself: ${read})`);
}
JS
cat >"$folder/write.py" <<'PY'
from http_sfv import Dictionary

field = Dictionary()
field["availability"], field["errors"] = 99.9999, 3
print("http-sfv writes", field)
field = Dictionary()
field.parse(b"availability=100., errors=3")
print("http-sfv reads availability=100. as", field["availability"].value)
PY
(cd "$folder" && node write.mjs) >"$folder/seen"
"$folder/venv/bin/python" "$folder/write.py" >>"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
99.95: availability=99.95, errors=3 (read by itself: availability and errors)
99.9999: availability=100., errors=3 (read by itself: Error)
0.0004: availability=0., errors=3 (read by itself: Error)
100: availability=100, errors=3 (read by itself: availability and errors)
http-sfv writes availability=100.0, errors=3
http-sfv reads availability=100. as 100
SEEN
echo "as described"
