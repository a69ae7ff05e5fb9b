#!/usr/bin/env bash
# pagerduty 7.2.0 (PyPI): a change event can't be sent without a time, since 7.0.1.
#
# EventsApiV2Client.submit() sends a change event, with the time of the call where it is given none, as it documents. Up to 7.0.0
# that works. From 7.0.1 on it raises an AttributeError before anything is sent: the text of the present time is made with
# an attribute that its class hasn't got. Alerts (trigger(), acknowledge(), resolve()) have no such time and work, so that
# a check of the client by an alert says nothing of it. A pipeline that tells PagerDuty of its deployments fails at that step
# after a patch release; one that ignores errors there records no changes any more, and whoever looks for the cause of an
# incident finds none. `timestamp=datetime.now(UTC).isoformat()` avoids it.
#
# Output seen:
#   7.0.0, an alert: accepted, 1 sent
#   7.0.0, a change: accepted, 1 sent
#   7.0.0, a change with its time: accepted, 1 sent
#   7.0.1, an alert: accepted, 1 sent
#   7.0.1, a change: AttributeError, 0 sent
#   7.0.1, a change with its time: accepted, 1 sent
#   7.2.0, an alert: accepted, 1 sent
#   7.2.0, a change: AttributeError, 0 sent
#   7.2.0, a change with its time: accepted, 1 sent
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/send.py" <<'PY'
import json
from datetime import UTC, datetime
from importlib.metadata import version

import httpx2
from pagerduty import EventsApiV2Client

sent = []


def answer(request):
    sent.append(json.loads(request.content))
    return httpx2.Response(202, json={"status": "success", "message": "Event processed", "dedup_key": "1"})


def attempt(name, action):
    sent.clear()
    try:
        action()
    except AttributeError as error:
        said = type(error).__name__
    else:
        said = "accepted"
    print(f"{version('pagerduty')}, {name}: {said}, {len(sent)} sent")


client = EventsApiV2Client("k" * 32, transport=httpx2.MockTransport(answer))
attempt("an alert", lambda: client.trigger("Disk is full", "db-1"))
attempt("a change", lambda: client.submit("Deployed shop 1.4", "ci"))
attempt("a change with its time", lambda: client.submit("Deployed", "ci", timestamp=datetime.now(UTC).isoformat()))
PY
for release in 7.0.0 7.0.1 7.2.0; do
    python3 -m venv "$folder/$release"
    "$folder/$release/bin/pip" install --quiet --disable-pip-version-check "pagerduty==$release"
    "$folder/$release/bin/python" "$folder/send.py" 2>"$folder/log"
done >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
7.0.0, an alert: accepted, 1 sent
7.0.0, a change: accepted, 1 sent
7.0.0, a change with its time: accepted, 1 sent
7.0.1, an alert: accepted, 1 sent
7.0.1, a change: AttributeError, 0 sent
7.0.1, a change with its time: accepted, 1 sent
7.2.0, an alert: accepted, 1 sent
7.2.0, a change: AttributeError, 0 sent
7.2.0, a change with its time: accepted, 1 sent
SEEN
echo "as described"
