#!/usr/bin/env bash
# protobuf-py 0.7.0: a field of type float keeps a double until it is written.
#
# The value that is set is not rounded to a float; only to_binary() does that. So a message differs from itself after
# it was written and read, its JSON says another number than its binary form, and 1e-50, which as a float is zero, is
# written as an explicit zero although the field has no presence: read back and written again, it is gone. Google's
# package rounds when the field is set. For a digest, a cache key or a test of equality: round such values first.
#
# Output seen:
#   0.1: equal after a round trip False, JSON 0.1 then 0.10000000149011612
#   16777217.0: equal after a round trip False, JSON 16777217.0 then 16777216.0
#   1e-50: written as 5 bytes, then as 0
#   google, 0.1: equal after a round trip True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check protobuf-py==0.7.0 protobuf==7.36.2
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from google.protobuf import wrappers_pb2
from protobuf.wkt import FloatValue

for value in (0.1, 16777217.0):
    message = FloatValue(value=value)
    again = FloatValue.from_binary(message.to_binary())
    equal = f"equal after a round trip {message == again}"
    print(f"{value}: {equal}, JSON {message.to_json()} then {again.to_json()}")
written = FloatValue(value=1e-50).to_binary()
print(f"1e-50: written as {len(written)} bytes, then as {len(FloatValue.from_binary(written).to_binary())}")
of_google = wrappers_pb2.FloatValue(value=0.1)
print("google, 0.1: equal after a round trip", of_google == type(of_google).FromString(of_google.SerializeToString()))
PY
diff - "$folder/seen" <<'SEEN'
0.1: equal after a round trip False, JSON 0.1 then 0.10000000149011612
16777217.0: equal after a round trip False, JSON 16777217.0 then 16777216.0
1e-50: written as 5 bytes, then as 0
google, 0.1: equal after a round trip True
SEEN
echo "as described"
