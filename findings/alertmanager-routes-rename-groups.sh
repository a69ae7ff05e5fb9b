#!/usr/bin/env bash
# Alertmanager 0.25.0 (Debian 12): a change of its routes gives groups that fire another key, and the old one never resolves.
#
# A webhook's message is about a group of alerts, and its `groupKey` is what Alertmanager itself takes as the key of an
# incident at PagerDuty (hashed) and OpsGenie. It is made of the matchers of the routes on the way to the receiver, and of the
# values of group_by. So when somebody nests the same receiver under a route, or adds a matcher to it, each alert that
# fires at the reload is announced again under another key, without a `resolved` for the first: a second incident is opened,
# and only that is closed. The fingerprint of an alert stays; key incidents by that, or change routes while nothing fires.
#
# Output seen (messages of the webhook; ROUTE is the matcher of the new route):
#   firing {}:{alertname="Down"}, fingerprint 6accfd3d0992a914
#   the routes are changed
#   firing {}/{ROUTE}:{alertname="Down"}, fingerprint 6accfd3d0992a914
#   the alert ends
#   resolved {}/{ROUTE}:{alertname="Down"}, fingerprint 6accfd3d0992a914
set -euo pipefail
if ! command -v prometheus-alertmanager >/dev/null; then
  apt-get install --quiet --quiet --yes prometheus-alertmanager >/dev/null
fi
folder=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
read -r hook api < <(python3 -c '
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(each.getsockname()[1] for each in sockets))')
configure() {
  cat >"$folder/config.yml" <<YAML
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s, routes: [$1]}
receivers:
  - {name: hook, webhook_configs: [{url: "http://127.0.0.1:$hook/"}]}
YAML
}
cat >"$folder/hook.py" <<'PY'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fingerprints = ", ".join(alert["fingerprint"] for alert in message["alerts"])
        with open(sys.argv[2], "a") as messages:
            print(f"{message['status']} {message['groupKey']}, fingerprint {fingerprints}", file=messages)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
PY
configure ""
python3 "$folder/hook.py" "$hook" "$folder/messages" &
pids+=($!)
prometheus-alertmanager --config.file="$folder/config.yml" --storage.path="$folder/data" \
  --web.listen-address="127.0.0.1:$api" --cluster.listen-address= 2>"$folder/log" &
pids+=($!)
at="http://127.0.0.1:$api"
ask() { curl --silent --show-error --fail "$@"; }
until ask "$at/-/ready" >/dev/null 2>&1; do sleep 0.2; done
now() { date --utc +%Y-%m-%dT%H:%M:%SZ; }
started=$(now)
post() {
  ask --header 'Content-Type: application/json' "$at/api/v2/alerts" \
    --data "[{\"labels\": {\"alertname\": \"Down\"}, \"startsAt\": \"$started\"${1:+, \"endsAt\": \"$1\"}}]"
}
post
sleep 4
echo "the routes are changed" >>"$folder/messages"
configure '{matchers: ["alertname=~\"D.*\""]}'
ask --request POST "$at/-/reload"
sleep 4
echo "the alert ends" >>"$folder/messages"
post "$(now)"
sleep 5
sed 's/alertname=~"D\.\*"/ROUTE/' "$folder/messages" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
firing {}:{alertname="Down"}, fingerprint 6accfd3d0992a914
the routes are changed
firing {}/{ROUTE}:{alertname="Down"}, fingerprint 6accfd3d0992a914
the alert ends
resolved {}/{ROUTE}:{alertname="Down"}, fingerprint 6accfd3d0992a914
SEEN
echo "as described"
