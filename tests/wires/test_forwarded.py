from __future__ import annotations

from ipaddress import ip_network

import pytest

from tracker.api.calls.callers import address_of
from tracker.api.calls.endpoint import Endpoint
from tracker.api.calls.forwarded import Forwarded
from tracker.services.context import Call

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"), ip_network("::ffff:192.0.2.0/120")]


async def through(peer: str, chain: str | None) -> Call:
    """Return a call as it is after the step."""

    async def answer(_request: object, _call: Call) -> None:
        pass

    async def read() -> object:
        return None

    call = Call("rest", "1", peer, {} if chain is None else {"x-forwarded-for": chain})
    await Forwarded(TRUSTED).wrap(Endpoint("e", answer, None), answer)(read, call)
    return call


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        ("10.0.0.1:5", "203.0.113.7", "203.0.113.7"),
        ("10.0.0.1:5", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        ("10.0.0.1:5", "198.51.100.1, 203.0.113.7, 10.9.9.9", "203.0.113.7"),
        ("10.0.0.1:5", "10.1.1.1,10.2.2.2", "10.1.1.1"),
        ("ipv4:10.0.0.1:5", "203.0.113.7:1234", "203.0.113.7"),
        ("[2001:db8::1]:5", "2001:db9::7", "2001:db9::/64"),
        ("ipv6:%5B2001:db8::1%5D:5", "[2001:db9::7]:80", "2001:db9::/64"),
        ("10.0.0.1:5", "nonsense", "10.0.0.1"),
        ("10.0.0.1:5", "203.0.113.7, nonsense", "10.0.0.1"),
        ("10.0.0.1:5", "", "10.0.0.1"),
        ("10.0.0.1:5", None, "10.0.0.1"),
        ("10.0.0.1:5", "::ffff:203.0.113.7", "203.0.113.7"),
        ("10.0.0.1:5", "203.0.113.7, ::ffff:10.9.9.9", "203.0.113.7"),
        ("10.0.0.1:5", "203.0.113.7, 192.0.2.9, ::ffff:c000:20a", "203.0.113.7"),
        ("[::ffff:10.0.0.1]:5", "203.0.113.7", "203.0.113.7"),
    ],
)
async def test_the_client_is_the_last_address_that_is_not_trusted(
    peer: str, chain: str | None, client: str
) -> None:
    call = await through(peer, chain)
    assert address_of(call) == client
    assert call.proxy in ("10.0.0.1", "2001:db8::1", "::ffff:10.0.0.1")


@pytest.mark.parametrize("peer", ["203.0.113.1:5", "ipv4:203.0.113.1:5", "[2001:db9::1]:5"])
async def test_nobody_else_is_believed(peer: str) -> None:
    call = await through(peer, "198.51.100.1")
    assert (call.peer, call.proxy) == (peer, "")
