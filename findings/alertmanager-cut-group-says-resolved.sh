#!/usr/bin/env bash
# Alertmanager 0.25.0 (Debian 12): with max_alerts, a webhook says `resolved` of a group that still fires.
#
# `max_alerts` keeps a webhook's messages small: of a large group, it sends so many alerts, and counts the others in
# `truncatedAlerts`. The status of the message, which is `firing` as long as one alert of the group fires, is computed from what
# is left after the cut. Once the alerts that come first have ended, the message says `resolved`, while those behind the
# limit still fire, in the very outage for which the limit was set; a receiver that goes by the status closes its incident.
# Without a limit, the same group is `firing`. Where truncatedAlerts is above 0, believe only the status of each alert.
#
# Output seen (messages about three alerts, before and after the first of them ends):
#   no limit: firing, 3 of 3 alerts fire; firing, 2 of 3 alerts fire
#   max_alerts 1: firing, 1 of 1 alerts fire, 2 truncated; resolved, 0 of 1 alerts fire, 2 truncated
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
  - name: hook
    webhook_configs:
      - {url: "http://127.0.0.1:$hook/all"}
      - {url: "http://127.0.0.1:$hook/cut", max_alerts: 1}
YAML
cat >"$folder/hook.py" <<'PY'
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fire = sum(alert["status"] == "firing" for alert in message["alerts"])
        said = f"{message['status']}, {fire} of {len(message['alerts'])} alerts fire"
        if message["truncatedAlerts"]:
            said += f", {message['truncatedAlerts']} truncated"
        with open(sys.argv[2] + self.path, "a") as messages:
            print(said, file=messages)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", int(sys.argv[1])), Hook).serve_forever()
PY
python3 "$folder/hook.py" "$hook" "$folder" &
pids+=($!)
prometheus-alertmanager --config.file="$folder/config.yml" --storage.path="$folder/data" \
  --web.listen-address="127.0.0.1:$api" --cluster.listen-address= 2>"$folder/log" &
pids+=($!)
at="http://127.0.0.1:$api"
ask() { curl --silent --show-error --fail "$@"; }
until ask "$at/-/ready" >/dev/null 2>&1; do sleep 0.2; done
now() { date --utc +%Y-%m-%dT%H:%M:%SZ; }
started=$(now)
alert() {
  echo "{\"labels\": {\"alertname\": \"Down\", \"instance\": \"$1\"}, \"startsAt\": \"$started\"${2:+, \"endsAt\": \"$2\"}}"
}
post() { ask --header 'Content-Type: application/json' "$at/api/v2/alerts" --data "[$1]"; }
post "$(alert a), $(alert b), $(alert c)"
sleep 4
post "$(alert a "$(now)")"
sleep 5
said() { paste --serial --delimiters ';' "$folder/$1" | sed 's/;/; /g'; }
printf 'no limit: %s\nmax_alerts 1: %s\n' "$(said all)" "$(said cut)" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
no limit: firing, 3 of 3 alerts fire; firing, 2 of 3 alerts fire
max_alerts 1: firing, 1 of 1 alerts fire, 2 truncated; resolved, 0 of 1 alerts fire, 2 truncated
SEEN
echo "as described"
