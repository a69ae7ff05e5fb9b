#!/usr/bin/env bash
# PyMongo 4.20.0, asynchronous client: closing it while it connects leaves its sockets open.
#
# The client opens a socket, and awaits the connection with the connect timeout. A timeout and an OSError close the
# socket; a cancellation does not. AsyncMongoClient.close() cancels the tasks that monitor the servers, and so does a
# caller that gives up: while a server does not answer, each such socket stays open until the garbage collector
# finds it, with a ResourceWarning. A program that treats warnings as errors fails then at any later place.
#
# Output seen (a listener whose queue is full stands for a server that does not answer):
#   sockets of the client after close(): more than none
#   ResourceWarning of an unclosed socket that was never connected: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pymongo==4.20.0
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
import asyncio
import gc
import os
import socket
import warnings

from pymongo import AsyncMongoClient


def sockets():
    links = (os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd"))
    return {os.readlink(link) for link in links if os.path.islink(link) and "socket:" in os.readlink(link)}


async def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:
        each.setblocking(False)
        each.connect_ex(listener.getsockname())
    before = sockets()
    gc.disable()
    client = AsyncMongoClient("127.0.0.1", listener.getsockname()[1], directConnection=True)
    asking = asyncio.create_task(client.admin.command("ping"))
    await asyncio.sleep(0.5)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await client.close()
    await asyncio.sleep(0.2)
    print("sockets of the client after close():", "more than none" if sockets() - before else "none")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del client, asking
        gc.collect()
    unclosed = [str(each.message) for each in caught if each.category is ResourceWarning]
    print("ResourceWarning of an unclosed socket that was never connected:", any("unclosed" in text and "raddr" not in text for text in unclosed))


asyncio.run(main())
PY
diff - "$folder/seen" <<'SEEN'
sockets of the client after close(): more than none
ResourceWarning of an unclosed socket that was never connected: True
SEEN
echo "as described"
