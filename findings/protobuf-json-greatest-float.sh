#!/usr/bin/env bash
# protobuf 7.36.2 (Google's Python package) and protobuf-py 0.7.0: JSON of the greatest float.
#
# Google's json_format writes the greatest finite float (FLT_MAX) in its shortest form, 3.4028235e+38, and then
# refuses to read that text: as a double it lies above FLT_MAX, and the range is checked before it is rounded to a
# float. So a valid message does not survive MessageToJson and Parse of the same library. protobuf-py refuses the
# same text, and writes the double's digits (3.4028234663852886e+38) itself, which both read.
# For a receiver of ProtoJSON: round to float before the range is checked.
#
# Output seen:
#   google writes 3.4028235e+38
#   google reads its own text: refused
#   protobuf-py reads it: refused
#   protobuf-py writes 3.4028234663852886e+38
#   google reads that: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check protobuf==7.36.2 protobuf-py==0.7.0
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
import struct

from google.protobuf import json_format, wrappers_pb2
from protobuf.wkt import FloatValue

greatest = struct.unpack("<f", bytes.fromhex("ffff7f7f"))[0]
message = wrappers_pb2.FloatValue(value=greatest)
text = json_format.MessageToJson(message)
print("google writes", text)


def read(parse):
    try:
        return parse()
    except (json_format.ParseError, OverflowError):
        return "refused"


print("google reads its own text:", read(lambda: json_format.Parse(text, wrappers_pb2.FloatValue()).value))
print("protobuf-py reads it:", read(lambda: FloatValue.from_json(text).value))
own = FloatValue.from_binary(message.SerializeToString()).to_json()
print("protobuf-py writes", own)
print("google reads that:", json_format.Parse(own, wrappers_pb2.FloatValue()) == message)
PY
diff - "$folder/seen" <<'SEEN'
google writes 3.4028235e+38
google reads its own text: refused
protobuf-py reads it: refused
protobuf-py writes 3.4028234663852886e+38
google reads that: True
SEEN
echo "as described"
