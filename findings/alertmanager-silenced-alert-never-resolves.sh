#!/usr/bin/env bash
# Alertmanager 0.25.0 (Debian 12): what is resolved while a silence lasts stays open at its receivers for ever.
#
# A silence mutes notifications, also those that say `resolved`. An alert fires, a webhook (or PagerDuty) opens an incident, a
# person silences the alert while it is worked on, and it ends before the silence does: no message tells the receiver, neither
# then nor when the silence expires, as Alertmanager forgets what it has resolved. An alert that outlives its silence is
# resolved as usual, which makes the loss depend on which ends first. `send_resolved` and `repeat_interval` don't change
# this. So a receiver has to ask Alertmanager for what still fires (/api/v2/alerts), or to take an incident for stale.
#
# Output seen (messages of the webhook):
#   plain: firing, resolved
#   silenced, then resolved: firing
#   silenced, silence expired, then resolved: firing, resolved
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
cat >"$folder/config.yml" <<YAML
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s}
receivers:
  - {name: hook, webhook_configs: [{url: "http://127.0.0.1:$hook/", send_resolved: true}]}
YAML
cat >"$folder/hook.py" <<'PY'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in message["alerts"]:
            print(alert["labels"]["alertname"], alert["status"], flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
PY
python3 "$folder/hook.py" "$hook" >"$folder/messages" &
pids+=($!)
prometheus-alertmanager --config.file="$folder/config.yml" --storage.path="$folder/data" \
  --web.listen-address="127.0.0.1:$api" --cluster.listen-address= 2>"$folder/log" &
pids+=($!)
at="http://127.0.0.1:$api/api/v2"
ask() { curl --silent --show-error --fail --header 'Content-Type: application/json' "$@"; }
until ask "$at/status" >/dev/null 2>&1; do sleep 0.2; done
now() { date --utc +%Y-%m-%dT%H:%M:%SZ; }
started=$(now)
post() {
  ask "$at/alerts" --data "[{\"labels\": {\"alertname\": \"$1\"}, \"startsAt\": \"$started\"${2:+, \"endsAt\": \"$2\"}}]"
}
silence() {
  local matcher="{\"name\": \"alertname\", \"value\": \"$1\", \"isRegex\": false, \"isEqual\": true}"
  ask "$at/silences" --data "{\"matchers\": [$matcher], \"startsAt\": \"$(now)\",
    \"endsAt\": \"$(date --utc --date '1 hour' +%Y-%m-%dT%H:%M:%SZ)\", \"createdBy\": \"on call\", \"comment\": \"repair\"}" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["silenceID"])'
}
for alert in plain ends outlives; do post "$alert"; done
sleep 4
first=$(silence ends)
second=$(silence outlives)
sleep 3
ask --request DELETE "$at/silence/$second" >/dev/null
sleep 2
for alert in plain ends outlives; do post "$alert" "$(now)"; done
sleep 4
ask --request DELETE "$at/silence/$first" >/dev/null
sleep 5
messages() { sed -n "s/^$1 //p" "$folder/messages" | paste --serial --delimiters , | sed 's/,/, /g'; }
{
  echo "plain: $(messages plain)"
  echo "silenced, then resolved: $(messages ends)"
  echo "silenced, silence expired, then resolved: $(messages outlives)"
} >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
plain: firing, resolved
silenced, then resolved: firing
silenced, silence expired, then resolved: firing, resolved
SEEN
echo "as described"
