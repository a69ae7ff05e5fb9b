#!/usr/bin/env bash
# protobuf 7.36.2 (Python): a pool of descriptors finds no file by the name of a method, and so reflection does not.
#
# FindFileContainingSymbol() finds messages, fields, enums, their values, services and extensions, but raises KeyError
# for methods, which C++ documents to be found. grpcio-reflection 1.85.1 asks that pool, and so answers NOT_FOUND to
# clients that describe a method, such as `grpcurl describe grpc.health.v1.Health.Check`.
#
# Output seen:
#   grpc.health.v1.Health: found
#   grpc.health.v1.HealthCheckRequest.service: found
#   grpc.health.v1.Health.Check: not found
#   reflection, asked for grpc.health.v1.Health.Check: error_response
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install \
	protobuf==7.36.2 grpcio==1.85.1 grpcio-health-checking==1.85.1 grpcio-reflection==1.85.1
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

pool = DescriptorPool()
pool.AddSerializedFile(health_pb2.DESCRIPTOR.serialized_pb)
method = "grpc.health.v1.Health.Check"
for name in ("grpc.health.v1.Health", "grpc.health.v1.HealthCheckRequest.service", method):
    try:
        pool.FindFileContainingSymbol(name)
        print(f"{name}: found")
    except KeyError:
        print(f"{name}: not found")
servicer = reflection.ReflectionServicer(["grpc.health.v1.Health"], pool)
request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=method)
(answer,) = servicer.ServerReflectionInfo(iter([request]), None)
print(f"reflection, asked for {method}: {answer.WhichOneof('message_response')}")
PY
diff - "$folder/seen" <<'SEEN'
grpc.health.v1.Health: found
grpc.health.v1.HealthCheckRequest.service: found
grpc.health.v1.Health.Check: not found
reflection, asked for grpc.health.v1.Health.Check: error_response
SEEN
echo "as described"
