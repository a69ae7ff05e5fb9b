"""Which addresses may be reached: public ones, and those of networks that are allowed."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_IPV4_IN_IPV6: Final = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "::/96")))
"""Networks whose last 32 bits are an IPv4 address: NAT64 (RFC 6052), and what RFC 4291 calls compatible."""
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
"""Prefixes for translation within a network (RFC 8215)."""


def may_reach(address: IPv4Address | IPv6Address, allowed: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Return whether an address may be reached."""
    plain = _embedded(address)
    if any(each in network for each in {address, plain} for network in allowed):
        return True
    if isinstance(plain, ipaddress.IPv6Address) and (plain.is_site_local or plain in _LOCAL_NAT64):
        return False
    return plain.is_global and not plain.is_multicast


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _IPV4_IN_IPV6) and int(address) > 1:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
