#!/usr/bin/env bash
# grpcio 1.85.1: its server takes no padding of HTTP/2 frames.
#
# RFC 9113 lets a sender pad DATA (6.1) and HEADERS (6.2), to hide their sizes; proxies that do so are rare, and gRPC's
# own clients never do. The server resets the stream of a padded DATA frame with PROTOCOL_ERROR, as if the flag were
# unknown. Of padded HEADERS it reads the padding as a part of the header block, and refuses the call as malformed.
#
# Output seen:
#   no padding: answered with b'hi'
#   padded DATA: stream reset, PROTOCOL_ERROR
#   padded HEADERS: no answer but trailers
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install grpcio==1.85.1 hpack==4.2.0 hyperframe==6.1.0
"$folder/venv/bin/python" - >"$folder/seen" 2>"$folder/log" <<'PY'
import socket
from concurrent.futures import ThreadPoolExecutor

import grpc
from hpack import Encoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, RstStreamFrame, SettingsFrame

FIELDS = {
    ":method": "POST",
    ":scheme": "http",
    ":path": "/example.Service/Echo",
    ":authority": "localhost",
    "content-type": "application/grpc",
    "te": "trailers",
}
ERRORS = {1: "PROTOCOL_ERROR"}


def frames(connection):
    """Yield the frames that arrive."""
    stream = connection.makefile("rb")
    while len(head := stream.read(9)) == 9:
        frame, length = Frame.parse_frame_header(memoryview(head))
        frame.parse_body(memoryview(stream.read(length)))
        yield frame


def answer(port, padded):
    """Call the server by raw frames, and say what it answers."""
    headers = HeadersFrame(1, Encoder().encode(FIELDS), flags=["END_HEADERS"])
    data = DataFrame(1, b"\0\0\0\0\2hi", flags=["END_STREAM"])
    for frame in (headers, data):
        if type(frame) is padded:
            frame.flags.add("PADDED")
            frame.pad_length = 8
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        parts = (SettingsFrame(0), headers, data)
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"".join(part.serialize() for part in parts))
        for frame in frames(connection):
            if isinstance(frame, DataFrame):
                return f"answered with {frame.data[5:]}"
            if isinstance(frame, RstStreamFrame):
                return f"stream reset, {ERRORS.get(frame.error_code, frame.error_code)}"
            if isinstance(frame, HeadersFrame) and "END_STREAM" in frame.flags:
                return "no answer but trailers"
    return "connection closed"


server = grpc.server(ThreadPoolExecutor(1))
echo = grpc.unary_unary_rpc_method_handler(lambda request, _context: request)
server.add_registered_method_handlers("example.Service", {"Echo": echo})
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print("no padding:", answer(port, None))
print("padded DATA:", answer(port, DataFrame))
print("padded HEADERS:", answer(port, HeadersFrame))
server.stop(0)
PY
diff - "$folder/seen" <<'SEEN'
no padding: answered with b'hi'
padded DATA: stream reset, PROTOCOL_ERROR
padded HEADERS: no answer but trailers
SEEN
echo "as described"
