#!/usr/bin/env bash
# grafana-client 5.1.4: a partial update of an annotation names every field, also those that it leaves alone.
#
# Grafana's PATCH /api/annotations/{id} changes the fields that a body has. partial_update_annotation(42, text="...") sends
# all four: no times as null, and no tags as an empty list, which is how one removes all tags. So whoever corrects the text
# of an annotation asks for its tags to be removed, and a server that wants to keep them can't tell the two apart.
#
# Output seen:
#   PATCH /api/annotations/42 {"time": null, "timeEnd": null, "tags": [], "text": "rolled back"}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check grafana-client==5.1.4
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
import http.server
import threading

from grafana_client import GrafanaApi


class Recorder(http.server.BaseHTTPRequestHandler):
    def do_PATCH(self):
        print(self.command, self.path, self.rfile.read(int(self.headers["content-length"])).decode(), flush=True)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Recorder)
threading.Thread(target=server.serve_forever, daemon=True).start()
api = GrafanaApi("key", host="127.0.0.1", port=server.server_port)
api.annotations.partial_update_annotation(annotations_id=42, text="rolled back")
PY
diff - "$folder/seen" <<'SEEN'
PATCH /api/annotations/42 {"time": null, "timeEnd": null, "tags": [], "text": "rolled back"}
SEEN
echo "as described"
