#!/usr/bin/env bash
# protobuf-py 0.7.0: JSON of an Any is read with another type URL than it was written with.
#
# The part of a type URL before the last slash may be any host and path. to_json() writes "@type" as the message has it;
# from_json() puts type.googleapis.com in its place. So an Any does not survive JSON, and whoever passes messages on
# changes what a receiver that compares whole type URLs gets. Google's package keeps the prefix.
#
# Output seen:
#   written: types.example.org/google.protobuf.Duration
#   read by protobuf-py: type.googleapis.com/google.protobuf.Duration
#   read by google: types.example.org/google.protobuf.Duration
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check protobuf-py==0.7.0 protobuf==7.36.2
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
import json

from google.protobuf import any_pb2, duration_pb2, json_format
from protobuf import Registry
from protobuf.wkt import Any, Duration

known = Registry(Duration.desc().file)
url = f"types.example.org/{duration_pb2.DESCRIPTOR.package}.Duration"
text = Any(type_url=url, value=Duration(seconds=1).to_binary()).to_json(registry=known)
print("written:", json.loads(text)["@type"])
print("read by protobuf-py:", Any.from_json(text, registry=known).type_url)
print("read by google:", json_format.Parse(text, any_pb2.Any()).type_url)
PY
diff - "$folder/seen" <<'SEEN'
written: types.example.org/google.protobuf.Duration
read by protobuf-py: type.googleapis.com/google.protobuf.Duration
read by google: types.example.org/google.protobuf.Duration
SEEN
echo "as described"
