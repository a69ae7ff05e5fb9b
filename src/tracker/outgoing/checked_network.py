"""Connections to addresses that were checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpcore2

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable


class CheckedNetwork(httpcore2.AnyIOBackend):
    """Connects to addresses that were checked."""

    def __init__(self, resolve: Callable[[str, int], Awaitable[str]]) -> None:
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of the library
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the address that a name was resolved to."""
        address = await self._resolve(host, port)
        return await super().connect_tcp(address, port, timeout, local_address, socket_options)
