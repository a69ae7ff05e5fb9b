#!/usr/bin/env bash
# uvloop 0.23.0: over TLS, a write buffer limit of 0 leaves a protocol paused although everything is sent.
#
# asyncio documents set_write_buffer_limits(high=0): pause_writing() is called whenever the buffer becomes non-empty, and
# resume_writing() when it is empty again. Over TCP that is so. A transport of TLS compares with >= where that of TCP
# compares with >, so that an empty buffer counts as full: setting the limit pauses the protocol, and each write toggles it.
# A protocol that waits for resume_writing() before it answers never does. high=1, low=0 means the same and works with both. (The
# transport of TLS in CPython 3.11's own event loop does the same.)
#
# Output seen, after the limit is set, and one byte is answered three times:
#   TCP, high=0: buffer empty, writing goes on
#   TLS, high=0: buffer empty, writing is paused
#   TLS, high=1: buffer empty, writing goes on
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install uvloop==0.23.0 trustme==1.2.1
"$folder/venv/bin/python" - >"$folder/seen" 2>"$folder/log" <<'PY'
import asyncio
import ssl

import trustme
import uvloop

authority = trustme.CA()
of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
authority.issue_cert("127.0.0.1").configure_cert(of_server)
of_client = ssl.create_default_context()
authority.configure_trust(of_client)


class Answering(asyncio.Protocol):
    """Answers each byte with one, and notes whether it is paused."""

    def __init__(self, limits, made):
        self.paused, self.limits = False, limits
        made.append(self)

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(**self.limits)

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False


async def talk(name, tls, **limits):
    made = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(limits, made), "127.0.0.1", 0, ssl=of_server if tls else None)
    address = server.sockets[0].getsockname()
    reader, writer = await asyncio.open_connection(*address, ssl=of_client if tls else None)
    for _ in range(3):
        writer.write(b"?")
        await reader.readexactly(1)
        await asyncio.sleep(0.05)  # for calls that come after the byte
    size, paused = made[0].transport.get_write_buffer_size(), made[0].paused
    buffer = "empty" if not size else "not empty"
    print(f"{name}, high={limits['high']}: buffer {buffer}, writing {'is paused' if paused else 'goes on'}")
    writer.close()
    server.close()


uvloop.run(talk("TCP", False, high=0))
uvloop.run(talk("TLS", True, high=0))
uvloop.run(talk("TLS", True, high=1, low=0))
PY
diff - "$folder/seen" <<'SEEN'
TCP, high=0: buffer empty, writing goes on
TLS, high=0: buffer empty, writing is paused
TLS, high=1: buffer empty, writing goes on
SEEN
echo "as described"
