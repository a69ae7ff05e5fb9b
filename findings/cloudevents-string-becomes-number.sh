#!/usr/bin/env bash
# cloudevents 10.0.0 (npm) and 2.2.0 (PyPI): a JSON string that passes through the JavaScript SDK can become a number.
#
# The data of an event is the JSON string "1.10", a version. The JavaScript SDK reads the event, whichever mode it came in,
# and forwards it with `HTTP.binary()`. The body should be the JSON document "1.10", with its quotes, as the content type is
# application/json. The SDK writes a string as it is, so the body is the JSON number 1.10, and the Python SDK reads 1.1: the
# version 1.10 has become another version. In structured mode the string survives.
#
# Output seen:
#   structured, then binary: content type application/json, body 1.10, read as float 1.1
#   structured, then structured: read as str '1.10'
#   binary, then binary: content type application/json, body 1.10, read as float 1.1
#   binary, then structured: read as str '1.10'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cloudevents==2.2.0
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save cloudevents@10.0.0)
cat >"$folder/forward.js" <<'JS'
const { HTTP } = require("cloudevents");
const event = { specversion: "1.0", id: "1", source: "/builds", type: "com.example.built" };
const headers = Object.fromEntries(Object.entries(event).map(([name, value]) => [`ce-${name}`, value]));
const received = {
  structured: {
    headers: { "content-type": "application/cloudevents+json" },
    body: JSON.stringify({ ...event, datacontenttype: "application/json", data: "1.10" }),
  },
  binary: { headers: { ...headers, "content-type": "application/json" }, body: '"1.10"' },
};
for (const [mode, message] of Object.entries(received)) {
  const { headers, body } = HTTP.binary(HTTP.toEvent(message));
  console.log(JSON.stringify({ way: `${mode}, then binary`, headers, body }));
  const structured = HTTP.structured(HTTP.toEvent(message));
  console.log(JSON.stringify({ way: `${mode}, then structured`, headers: structured.headers, body: structured.body }));
}
JS
cat >"$folder/read.py" <<'PY'
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event

for line in sys.stdin:
    sent = json.loads(line)
    data = from_http_event(HTTPMessage(headers=sent["headers"], body=sent["body"].encode())).get_data()
    wire = f"content type {sent['headers']['content-type']}, body {sent['body']}, " if "then binary" in sent["way"] else ""
    print(f"{sent['way']}: {wire}read as {type(data).__name__} {data!r}")
PY
(cd "$folder" && node forward.js) | "$folder/venv/bin/python" "$folder/read.py" >"$folder/seen"
diff - "$folder/seen" <<'SEEN'
structured, then binary: content type application/json, body 1.10, read as float 1.1
structured, then structured: read as str '1.10'
binary, then binary: content type application/json, body 1.10, read as float 1.1
binary, then structured: read as str '1.10'
SEEN
echo "as described"
