"""Callers over HTTP that do not read their answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

from tracker.api import wires

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


def keep_little_in_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the kernel keep up to a few hundred kilobytes of a connection, whatever it knows of the network."""
    bind = wires._bind  # noqa: SLF001 - connections have the buffers of the socket that was bound

    def bound(host: str, port: int) -> socket.socket:
        listener = bind(host, port)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 131_072)
        return listener

    monkeypatch.setattr(wires, "_bind", bound)


@contextlib.asynccontextmanager
async def unread(port: int, request: bytes, callers: int) -> AsyncIterator[None]:
    """Send a request on so many connections in turn, and read no more than the first byte of each answer."""
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as opened:
        for _ in range(callers):
            caller = opened.enter_context(socket.socket())
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.settimeout(0)
            await loop.sock_connect(caller, ("127.0.0.1", port))
            await loop.sock_sendall(caller, request)
            await loop.sock_recv(caller, 1)
        yield
