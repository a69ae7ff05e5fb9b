#!/usr/bin/env bash
# protobuf 7.36.2 (Google's Python package): an entry of a map that has a third field is no entry of the map.
#
# On the wire an entry of a map is a message with the fields 1 and 2, and a reader ignores fields that it doesn't know.
# The default implementation (upb) takes an entry with a further field out of the map as a whole: it is kept among the
# unknown fields, and written back, but the map is empty. The same release in pure Python keeps the entry and drops the
# further field, as protobuf-py 0.7.0 does. So the answer depends on which implementation is installed.
#
# Output seen:
#   upb: 0 entries, 11 bytes when written
#   python: 1 entries, 9 bytes when written
#   protobuf-py: 1 entries, 9 bytes when written
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check protobuf==7.36.2 protobuf-py==0.7.0
cat >"$folder/read.py" <<'PY'
import sys

from google.protobuf import struct_pb2
from google.protobuf.internal import api_implementation
from protobuf.wkt import Struct

entry = bytes([0x0A, 1, ord("a"), 0x12, 2, 0x20, 1]) + bytes([0x18, 1])  # "a", true, and a field 3
written = bytes([0x0A, len(entry)]) + entry
if sys.argv[1] == "google":
    message = struct_pb2.Struct.FromString(written)
    print(f"{api_implementation.Type()}: {len(message.fields)} entries, {message.ByteSize()} bytes when written")
else:
    message = Struct.from_binary(written)
    print(f"protobuf-py: {len(message.fields)} entries, {len(message.to_binary())} bytes when written")
PY
{
    "$folder/venv/bin/python" "$folder/read.py" google
    PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python "$folder/venv/bin/python" "$folder/read.py" google
    "$folder/venv/bin/python" "$folder/read.py" other
} >"$folder/seen"
diff - "$folder/seen" <<'SEEN'
upb: 0 entries, 11 bytes when written
python: 1 entries, 9 bytes when written
protobuf-py: 1 entries, 9 bytes when written
SEEN
echo "as described"
