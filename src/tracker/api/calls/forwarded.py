"""The step that finds the client of a call that came through a trusted proxy."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, Final

from tracker.api.calls.callers import ip_of
from tracker.services.peers import host_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.services.context import Call

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""IPv4 addresses as IPv6 has them."""


class Forwarded:
    """Takes the client's address from `X-Forwarded-For`, as far as trusted proxies have written it.

    Each proxy appends the address that it was called from. Read from the end, the first that is not trusted
    is the client's: what is before it, anybody may have written.
    """

    def __init__(self, trusted: Sequence[IPv4Network | IPv6Network]) -> None:
        self._trusted = tuple(map(_unmapped, trusted))

    def wrap(self, _endpoint: Endpoint, then: Handler) -> Handler:
        if not self._trusted:
            return then

        def forwarded(read: Read, call: Call) -> Awaitable[Any]:
            peer = host_of(call.peer)
            if self._is_trusted(peer):
                call.proxy = peer
                call.peer = self._client(call.headers.get("x-forwarded-for", ""), call.peer)
            return then(read, call)

        return forwarded

    def _client(self, chain: str, peer: str) -> str:
        client = peer
        for each in reversed([address.strip() for address in chain.split(",")]):
            host = host_of(each)
            if ip_of(host) is None:
                break
            client = host
            if not self._is_trusted(host):
                break
        return client

    def _is_trusted(self, host: str) -> bool:
        address = ip_of(host)
        return address is not None and any(address in network for network in self._trusted)


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    """Return a network of IPv4 addresses that are mapped to IPv6 as one of IPv4."""
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network(
            (int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - _MAPPED.prefixlen)
        )
    return network
