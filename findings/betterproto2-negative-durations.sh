#!/usr/bin/env bash
# betterproto2 0.10.0 and protobuf 7.36.2 (PyPI): a duration of minus half a second is sent as plus half a second.
#
# A google.protobuf.Duration is seconds and nanoseconds of one sign, and as JSON a text such as "-0.500s". betterproto2 gives
# and takes a timedelta, and writes whole seconds, which it cuts towards zero, beside Python's microseconds, which are always
# counted upwards from below. With fractions both don't fit each other: -0.5 s is +0.5 s, in the binary form as in JSON, and
# -1.000001 s is "-1.999999s" in JSON and minus a millionth of a second in the binary form. Nothing is refused. What it reads
# from Google's binary form is right, and written again it has changed. JSON with a minus it refuses to read, its own too.
# So how early or late a run was is wrong wherever it was early: send a number of milliseconds.
#
# Output seen:
#   0.500s: read from binary as 0.5 s, written as 0.5 s, as JSON 0.500s; read from JSON as 0.5 s
#   -2s: read from binary as -2.0 s, written as -2 s, as JSON -2s; read from JSON as ValueError
#   -0.500s: read from binary as -0.5 s, written as 0.5 s, as JSON 0.500s; read from JSON as ValueError
#   -1.000001s: read from binary as -1.000001 s, written as -1e-06 s, as JSON -1.999999s; read from JSON as ValueError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    betterproto2==0.10.0 betterproto2-compiler==0.10.1 grpcio-tools==1.85.1 protobuf==7.36.2
mkdir "$folder/better"
cat >"$folder/late.proto" <<'PROTO'
syntax = "proto3";
package late;
import "google/protobuf/duration.proto";
message Run {
  google.protobuf.Duration late = 1;
}
PROTO
(
    cd "$folder"
    PATH="$folder/venv/bin:$PATH" python -m grpc_tools.protoc -I. --python_out=. --python_betterproto2_out=better late.proto
) >"$folder/log" 2>&1
cat >"$folder/late.py" <<'PY'
from datetime import timedelta

import late_pb2
from better.late import Run
from google.protobuf import json_format


def attempt(action):
    try:
        return action()
    except ValueError as error:
        return type(error).__name__


for seconds in (0.5, -2.0, -0.5, -1.000001):
    google = late_pb2.Run()
    google.late.FromTimedelta(timedelta(seconds=seconds))
    text = json_format.MessageToDict(google)["late"]
    run = Run.parse(google.SerializeToString())
    again = late_pb2.Run.FromString(bytes(run))
    total = again.late.seconds + again.late.nanos / 1e9
    print(f"{text}: read from binary as {run.late.total_seconds()} s,", end=" ")
    print(f"written as {total:g} s, as JSON {run.to_dict()['late']};", end=" ")
    print("read from JSON as", attempt(lambda: f"{Run.from_dict({'late': text}).late.total_seconds()} s"))
PY
(cd "$folder" && venv/bin/python late.py) >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
0.500s: read from binary as 0.5 s, written as 0.5 s, as JSON 0.500s; read from JSON as 0.5 s
-2s: read from binary as -2.0 s, written as -2 s, as JSON -2s; read from JSON as ValueError
-0.500s: read from binary as -0.5 s, written as 0.5 s, as JSON 0.500s; read from JSON as ValueError
-1.000001s: read from binary as -1.000001 s, written as -1e-06 s, as JSON -1.999999s; read from JSON as ValueError
SEEN
echo "as described"
