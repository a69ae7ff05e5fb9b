#!/usr/bin/env bash
# sseclient-py 1.9.0, aiohttp-sse-client 0.2.1, httpx-sse 0.4.3 (PyPI): half of an event is delivered, or joined with another.
#
# A server or proxy that stops cuts its streams of events, sooner or later in the middle of one. The standard (HTML, 9.2.6)
# discards an event that no empty line ends, and the client reads on from its last ID. httpx-sse does so. sseclient-py
# delivers the half: of a message of two lines the first, or JSON that is cut. aiohttp-sse-client keeps it, connects again, and
# puts it in front of the first event of the new connection: one message of two, under the ID of the second. That is so
# where the end of a connection ends the response (HTTP/1.0, `Connection: close`); a chunked response that is cut is an error
# in each. Send messages whose text shows whether it is complete, such as a JSON object, and check that.
#
# Output seen (the server cuts the event `deploy 2` after its first line, and begins with `deploy 3` when asked again):
#   httpx-sse: ['deploy 1']
#   sseclient-py: ['deploy 1', 'deploy 2:']
#   aiohttp-sse-client: ['deploy 1', 'deploy 2:\ndeploy 3']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  sseclient-py==1.9.0 requests==2.34.2 aiohttp-sse-client==0.2.1 aiohttp==3.13.2 httpx-sse==0.4.3 httpx==0.28.1
cat >"$folder/read.py" <<'PY'
import asyncio
import socket
import threading
from datetime import timedelta

import httpx
import requests
from aiohttp_sse_client.client import EventSource
from httpx_sse import connect_sse
from sseclient import SSEClient

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
FIRST = b"id: 1\ndata: deploy 1\n\nid: 2\ndata: deploy 2:\n"
SECOND = b"id: 3\ndata: deploy 3\n\n"


def serve(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            again = b"last-event-id" in connection.recv(65536).lower()
            connection.sendall(HEAD + (SECOND if again else FIRST))


async def reconnecting():
    read = []
    async with EventSource(url, reconnection_time=timedelta(milliseconds=10)) as events:
        async for event in events:
            read.append(event.data)
            if len(read) == 2:
                return read


listener = socket.create_server(("127.0.0.1", 0))
url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
threading.Thread(target=serve, args=[listener], daemon=True).start()
with httpx.Client() as client, connect_sse(client, "GET", url) as source:
    print("httpx-sse:", [event.data for event in source.iter_sse()])
with requests.get(url, stream=True) as response:
    print("sseclient-py:", [event.data for event in SSEClient(response).events()])
print("aiohttp-sse-client:", asyncio.run(asyncio.wait_for(reconnecting(), 20)))
PY
"$folder/venv/bin/python" "$folder/read.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
httpx-sse: ['deploy 1']
sseclient-py: ['deploy 1', 'deploy 2:']
aiohttp-sse-client: ['deploy 1', 'deploy 2:\ndeploy 3']
SEEN
echo "as described"
