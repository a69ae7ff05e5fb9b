"""Who calls, as limits count it, and the step that applies the limits of each caller."""

from __future__ import annotations

import time
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from tracker.api.calls.endpoint import refusing
from tracker.errors import TrackerError
from tracker.pb.options import is_always_served
from tracker.services.peers import host_of

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from ipaddress import IPv4Address

    from tracker.api.calls.endpoint import Endpoint, Handler, Read
    from tracker.api.calls.rates import CallRates
    from tracker.api.calls.turns import Turns
    from tracker.services.context import Call

_CLIENT_BITS = 64
"""Bits of an IPv6 address that identify a client: it may choose the others."""


def address_of(call: Call) -> str:
    """Return the address that a call comes from, without its port: of IPv6, its network of 64 bits."""
    return _client(call.peer)[0]


def ip_of(host: str) -> IPv4Address | IPv6Address | None:
    """Return the IP address that a text is, if it is one; an address of IPv4 may be mapped to IPv6."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def is_local(call: Call) -> bool:
    """Return whether a call comes from this machine, as far as its address says."""
    return _client(call.peer)[1]


@lru_cache(2_048)
def _client(peer: str) -> tuple[str, bool]:
    """Return the address in a peer's name, and whether it is a loopback address."""
    host = host_of(peer)
    address = ip_of(host)
    if address is None:  # a client that was gone before it was asked
        return host, False
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return str(ip_network((address, _CLIENT_BITS), strict=False)), False
    return str(address), address.is_loopback


class LimitCallers:
    """Applies the limits of each caller to calls, except those that must always be served.

    Anonymous callers on this machine have no rate: they may be anybody behind a proxy. Without `rates`,
    nobody has.
    """

    def __init__(self, rates: CallRates | None, turns: Turns) -> None:
        self._rates = rates
        self._turns = turns

    def wrap(self, endpoint: Endpoint, then: Handler) -> Handler:
        rpc = endpoint.rpc
        if endpoint.quiet or (rpc is not None and is_always_served(rpc)):
            return then
        rates, turns, clock = self._rates, self._turns, time.monotonic

        def limited(read: Read, call: Call) -> Awaitable[Any]:
            principal = call.principal
            now = clock()
            if principal.is_anonymous:
                caller, local = _client(call.peer)
            else:
                call.answer.owner = caller = principal.id
                local = False
            shared = turns.are_shared(caller, now)
            if rates is not None and not local:
                try:
                    rates.take(caller, now, call)
                except TrackerError as error:
                    if not shared:
                        raise
                    return turns.start(caller, then, refusing(error), call)  # refusals take time too
            return turns.start(caller, then, read, call) if shared else then(read, call)

        return limited
