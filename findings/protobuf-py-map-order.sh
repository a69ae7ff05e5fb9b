#!/usr/bin/env bash
# protobuf-py 0.7.0: its two implementations write one message with a map as different bytes.
#
# The package has an implementation in Rust (protobuf-py-ext, installed on common platforms) and one in Python
# (protobuf-py-pure, used where there is no wheel of the first). Both keep the order of a map's entries in JSON.
# In the binary form, the one in Python keeps it too; the one in Rust writes another order. Both are valid, and equal
# as messages. So a digest or a signature of to_binary() changes with the platform of one and the same release:
# compute it from something canonical, such as JSON with sorted keys.
#
# Output seen:
#   rust: keys as JSON ['z', 'a', 'm'], keys as bytes in another order, read back equal
#   python: keys as JSON ['z', 'a', 'm'], keys as bytes in the same order, read back equal
#   the bytes are the same: False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" --quiet --disable-pip-version-check)
cat >"$folder/write.py" <<'PY'
import json
import sys

from protobuf.wkt import Struct

names = ["z", "a", "m"]
message = Struct.from_json(json.dumps(dict.fromkeys(names, 1)))
binary = message.to_binary()
places = [binary.index(b"\x0a\x01" + name.encode()) for name in names]
order = "the same" if places == sorted(places) else "another"
same = "equal" if Struct.from_binary(binary) == message else "different"
print(f"{sys.argv[1]}: keys as JSON {list(json.loads(message.to_json()))}, keys as bytes in {order} order, read back {same}")
open(sys.argv[2], "wb").write(binary)
PY
"${pip[@]}" install protobuf-py==0.7.0
"$folder/venv/bin/python" "$folder/write.py" rust "$folder/rust" >"$folder/seen"
"${pip[@]}" uninstall --yes protobuf-py-ext
"$folder/venv/bin/python" "$folder/write.py" python "$folder/python" >>"$folder/seen"
cmp -s "$folder/rust" "$folder/python" && same=True || same=False
echo "the bytes are the same: $same" >>"$folder/seen"
diff - "$folder/seen" <<'SEEN'
rust: keys as JSON ['z', 'a', 'm'], keys as bytes in another order, read back equal
python: keys as JSON ['z', 'a', 'm'], keys as bytes in the same order, read back equal
the bytes are the same: False
SEEN
echo "as described"
