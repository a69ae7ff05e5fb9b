"""An etcd server (Debian's package `etcd-server`) and its lock API, to measure beside."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from bench.http2 import GrpcConnection
from bench.load import RestConnection, free_ports, http_request
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_READY_WITHIN = 30
"""Seconds in which a server must be ready."""

_LONG = descriptor_pb2.FieldDescriptorProto.TYPE_INT64
_BYTES = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
_MESSAGES: Mapping[str, Mapping[str, tuple[int, Any]]] = {
    "LeaseGrantRequest": {"TTL": (1, _LONG)},
    "LeaseGrantResponse": {"ID": (2, _LONG)},
    "LockRequest": {"name": (1, _BYTES), "lease": (2, _LONG)},
    "LockResponse": {"key": (2, _BYTES)},
    "UnlockRequest": {"key": (1, _BYTES)},
}
"""What of etcd's messages a lock needs: the fields' numbers and types."""


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="bench_etcd.proto", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            message.field.add(
                name=field,
                number=number,
                type=kind,
                label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in _MESSAGES}


_PB = _messages()


@contextlib.contextmanager
def etcd_server(folder: Path) -> Iterator[int]:
    """Run a server with its data in a folder; give the port of both its APIs."""
    program = shutil.which("etcd")
    if program is None:
        raise SystemExit("etcd is missing: apt-get install etcd-server")
    port, peers = free_ports(2)
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    options = {
        "data-dir": str(folder),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
    }
    command = [program, *(f"--{name}={value}" for name, value in options.items())]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await_health(f"{client}/health")
        yield port
    finally:
        server.terminate()
        server.wait(_READY_WITHIN)


def _await_health(url: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as answer:
            if json.load(answer)["health"] == "true":
                return
        time.sleep(0.05)
    raise SystemExit("etcd did not become ready")


class EtcdRestLock:
    """One lock, by etcd's JSON gateway."""

    def __init__(self, connection: RestConnection, name: str, lease: str) -> None:
        self._connection = connection
        self._lock = self._request("/v3/lock/lock", name=_text(name), lease=lease)
        self.close = connection.close

    @classmethod
    async def open(cls, port: int, name: str, ttl: int) -> EtcdRestLock:
        """Connect and get a lease for the locks to come."""
        connection = await RestConnection.open("127.0.0.1", port)
        answer = await connection.send(cls._request("/v3/lease/grant", TTL=ttl))
        return cls(connection, name, json.loads(answer)["ID"])

    async def pair(self) -> None:
        """Take the lock, as soon as it is free, and release it."""
        key = json.loads(await self._connection.send(self._lock))["key"]
        await self._connection.send(self._request("/v3/lock/unlock", key=key))

    @staticmethod
    def _request(path: str, **body: object) -> bytes:
        return http_request("POST", path, json.dumps(body).encode())


class EtcdGrpcLock:
    """One lock, by etcd's gRPC API."""

    def __init__(self, connection: GrpcConnection, name: str, lease: int) -> None:
        self._connection = connection
        self._lock = _PB["LockRequest"](name=name.encode(), lease=lease).SerializeToString()
        self.close = connection.close

    @classmethod
    async def open(cls, port: int, name: str, ttl: int) -> EtcdGrpcLock:
        """Connect and get a lease for the locks to come."""
        connection = await GrpcConnection.open("127.0.0.1", port)
        grant = _PB["LeaseGrantRequest"](TTL=ttl).SerializeToString()
        answer = await connection.send(("/etcdserverpb.Lease/LeaseGrant", grant))
        return cls(connection, name, _PB["LeaseGrantResponse"].FromString(answer).ID)

    async def pair(self) -> None:
        """Take the lock, as soon as it is free, and release it."""
        answer = await self._connection.send(("/v3lockpb.Lock/Lock", self._lock))
        key = _PB["LockResponse"].FromString(answer).key
        unlock = _PB["UnlockRequest"](key=key).SerializeToString()
        await self._connection.send(("/v3lockpb.Lock/Unlock", unlock))


def _text(name: str) -> str:
    return base64.b64encode(name.encode()).decode()
