"""apprise, in a process of its own."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from tests.webhook_receiver import receiving

from tracker.outgoing.apprise import AppriseProcesses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

LOOPBACK = (ip_network("127.0.0.0/8"),)


async def sent(url: str, allowed: Sequence[IPv4Network | IPv6Network] = (), body: str = "body") -> str:
    return await AppriseProcesses.opened(allowed).notify(url, "title", body, "info")


async def test_a_network_that_is_not_allowed_is_not_reached_whatever_the_library_does() -> None:
    async with receiving() as receiver:
        address = receiver.url.replace("http://", "json://")
        assert "127.0.0.1 is not a public address" in await sent(address)
        assert "not a public address" in await sent(address.replace("127.0.0.1", "localhost"))
        mail = receiver.url.split("/")[2].replace("127.0.0.1:", "")
        refused = await sent(f"mailto://u:p@example.com:{mail}?smtp=127.0.0.1&to=a@b.example")
        assert "not a public address" in refused
        assert receiver.received == []
        receiver.answer = lambda: (302, "Location: http://10.0.0.1/\r\n")
        assert await sent(address, LOOPBACK)
        receiver.answer = lambda: (200, "")
        assert await sent(address, LOOPBACK) == ""


@pytest.mark.parametrize("url", ["syslog://", "rsyslog://127.0.0.1"])
async def test_no_service_of_the_machine_is_used(url: str) -> None:
    assert "can't be used" in await sent(url) or "not a public address" in await sent(url)


async def test_mail_arrives_at_a_server_for_mail_as_the_text_that_it_is() -> None:
    lines: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        in_data = False
        while line := (await reader.readline()).decode().lower():
            lines.append(line.rstrip())
            if in_data and line != ".\r\n":
                continue
            in_data = line.startswith("data")
            answer = (
                b"354 go\r\n" if in_data else b"221 bye\r\n" if line.startswith("quit") else b"250 ok\r\n"
            )
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        url = f"mailto://127.0.0.1:{port}?from=tracker@example.com&to=team@example.com&mode=insecure"
        assert await sent(url, LOOPBACK, "first\n<b>second</b> & third") == ""
        assert await sent(f"{url}&format=html", LOOPBACK, "<i>") == ""
    assert {"subject: title", "rcpt to:<team@example.com>"} <= {*lines}
    at = lines.index("first")
    assert lines[at : at + 2] == ["first", "<b>second</b> & third"]
    assert "&lt;i&gt;" in "".join(lines)
