"""Requests that leave the server: none reaches a network that is not public, unless that is allowed."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from tests.webhook_receiver import receiving

from tracker.outgoing.public_http import AddressRefusedError, NoAnswerError, PublicHttp

HOSTS = (
    *("127.0.0.1", "127.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "0"),
    *("0.0.0.0", "10.0.0.1", "10.255.255.255", "0xa000001", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    *("192.168.255.255", "100.64.0.1", "100.127.255.255", "169.254.169.254", "2852039166", "169.254.0.1"),
    *("192.0.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[fc00::1]", "[fd12:3456::1]"),
    *("[fe80::1]", "[febf::1]", "[fec0::1]", "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]"),
    *("[::ffff:169.254.169.254]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]"),
    *("[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a00:1::1]", "[2001:db8::1]", "[2001::1]", "[::127.0.0.1]"),
    *("localhost", "LOCALHOST", "①②⑦.0.0.1", "127。0。0。1"),
)
ADDRESSES = (
    *(f"http://{host}/" for host in HOSTS),
    *(
        "https://127.0.0.1/",
        "http://127.0.0.1:8080/x",
        "http://user@127.0.0.1/",
        "http://user:pass@example.com/",
    ),
    *(
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http:///x",
        "http://",
        "https:example",
    ),
    *("//example.com", "http://[::1", "http://127.0.0.1:99999/"),
)


@pytest.mark.parametrize("url", ADDRESSES)
async def test_an_address_that_is_not_public_is_refused(url: str) -> None:
    http = PublicHttp(())
    assert await http.refusal(url) != ""
    with pytest.raises((AddressRefusedError, NoAnswerError)):
        await http.request("POST", url, {}, b"")
    await http.close()


@pytest.mark.parametrize(
    "url", ["https://8.8.8.8/", "http://[2606:4700::1111]:8080/x", "http://[64:ff9b::808:808]/"]
)
async def test_a_public_address_may_be_reached(url: str) -> None:
    assert await PublicHttp(()).refusal(url) == ""


async def test_the_address_is_checked_again_for_each_connection() -> None:
    """What a name stands for may change after a webhook was created."""
    async with receiving() as receiver:
        allowed, strict = PublicHttp((ip_network("127.0.0.0/8"),)), PublicHttp(())
        assert (await allowed.request("POST", receiver.url, {"x": "y"}, b"body")).status == 204
        with pytest.raises(AddressRefusedError, match=r"127\.0\.0\.1 is not a public"):
            await strict.request("POST", receiver.url, {}, b"body")
        assert len(receiver.received) == 1
        await allowed.close()


async def test_a_name_that_can_not_be_resolved_may_be_resolved_later() -> None:
    http = PublicHttp(())
    assert await http.refusal("https://nobody.invalid/") == ""
    with pytest.raises(NoAnswerError):
        await http.request("POST", "https://nobody.invalid/", {}, b"")
