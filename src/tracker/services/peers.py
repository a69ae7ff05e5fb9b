"""The names of peers, as the wires have them."""

from __future__ import annotations

from urllib.parse import unquote


def host_of(peer: str) -> str:
    """Return the IP address in the name of a peer, which may have a port, and be spelled as gRPC does."""
    peer = unquote(peer.removeprefix("ipv4:").removeprefix("ipv6:"))
    if peer.startswith("["):
        peer = peer[1:].partition("]")[0]
    elif peer.count(":") == 1:
        peer = peer.partition(":")[0]
    return peer.partition("%")[0]
