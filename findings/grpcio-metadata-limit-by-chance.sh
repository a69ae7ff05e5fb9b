#!/usr/bin/env bash
# grpcio 1.85.1: above 8 KiB, metadata are refused by chance, and a status becomes another one.
#
# A peer has a limit of 16 KiB for metadata and a soft limit of 8 KiB, with 32 bytes of overhead for each entry. In between,
# it refuses a call at random, the more likely the larger they are, so that a limit shows before all calls fail. For whoever
# calls, a token that grew to 10 KiB with its list of groups fails in one call of four, with RESOURCE_EXHAUSTED, and a retry
# helps. The limit holds for the trailers too, where the message and the details of an error travel: a server that says
# FAILED_PRECONDITION with a long message is heard as RESOURCE_EXHAUSTED by some, who retry what can't succeed.
# Keep messages and details below 8 KiB (a character beyond ASCII counts three for each of its bytes), or set
# grpc.max_metadata_size and grpc.absolute_max_metadata_size alike on both sides.
#
# Output seen (40 calls each):
#   token of 6000 bytes: OK always
#   token of 12000 bytes: OK and RESOURCE_EXHAUSTED
#   token of 17000 bytes: RESOURCE_EXHAUSTED always
#   error of 6000 bytes: FAILED_PRECONDITION always
#   error of 12000 bytes: FAILED_PRECONDITION and RESOURCE_EXHAUSTED
#   error of 17000 bytes: RESOURCE_EXHAUSTED always
#   token of 12000 bytes, both limits set to 16384: OK always
#   error of 12000 bytes, both limits set to 16384: FAILED_PRECONDITION always
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check grpcio==1.85.1
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from concurrent.futures import ThreadPoolExecutor

import grpc

LIMITS = [("grpc.max_metadata_size", 16384), ("grpc.absolute_max_metadata_size", 16384)]


def answer(request, context):
    if length := int(request):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "x" * length)
    return b""


def statuses(calls, token, error):
    """Call forty times with a token and for an error of such lengths, and say how the calls ended."""
    seen = set()
    for _ in range(40):
        try:
            calls(str(error).encode(), metadata=[("authorization", "x" * token)])
            seen.add("OK")
        except grpc.RpcError as failed:
            seen.add(failed.code().name)
    return " and ".join(sorted(seen)) + (" always" if len(seen) == 1 else "")


for options in ([], LIMITS):
    server = grpc.server(ThreadPoolExecutor(1), options=options)
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_registered_method_handlers("example.Service", {"Call": handler})
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        calls = channel.unary_unary("/example.Service/Call")
        lengths = (12000,) if options else (6000, 12000, 17000)
        said = ", both limits set to 16384" if options else ""
        for length in lengths:
            print(f"token of {length} bytes{said}: {statuses(calls, length, 0)}")
        for length in lengths:
            print(f"error of {length} bytes{said}: {statuses(calls, 0, length)}")
    server.stop(0)
PY
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
token of 6000 bytes: OK always
token of 12000 bytes: OK and RESOURCE_EXHAUSTED
token of 17000 bytes: RESOURCE_EXHAUSTED always
error of 6000 bytes: FAILED_PRECONDITION always
error of 12000 bytes: FAILED_PRECONDITION and RESOURCE_EXHAUSTED
error of 17000 bytes: RESOURCE_EXHAUSTED always
token of 12000 bytes, both limits set to 16384: OK always
error of 12000 bytes, both limits set to 16384: FAILED_PRECONDITION always
SEEN
echo "as described"
