"""HTTP requests to addresses that users name: none reaches a network that is not public, unless allowed.

A name is resolved once for each connection, which goes to the address that was checked: no change of the
name in between can redirect it (CWE-918). Redirects are not followed, and proxies not used.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tracker.outgoing.networks import may_reach

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from ipaddress import IPv4Network, IPv6Network

    import httpcore2
    import httpx2

_HTTPS: Final = 443
_TIMEOUT: Final = 15.0
_RESOLVE_SECONDS: Final = 5.0
_KEEPALIVE_SECONDS: Final = 30.0
_TEXT_BYTES: Final = 65_536


class AddressRefusedError(Exception):
    """An address may not be reached; the message says why."""


class NoAnswerError(Exception):
    """There was no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The status of an answer, its `Retry-After`, and the beginning of its body."""

    status: int
    retry_after: str
    text: str

    @property
    def succeeded(self) -> bool:
        """Whether its status is one of success, by RFC 9110."""
        return 200 <= self.status < 300  # noqa: PLR2004 - as RFC 9110 has it


class PublicHttp:
    """Sends requests to public addresses, and to those in networks that are allowed."""

    errors = (AddressRefusedError, NoAnswerError)
    """What `request` raises where there is no answer."""

    def __init__(self, allowed: Sequence[IPv4Network | IPv6Network]) -> None:
        self._allowed = allowed

    @cached_property
    def _pool(self) -> httpcore2.AsyncConnectionPool:
        """The connections; made when they are needed, since certificates take their time to load."""
        import httpcore2  # noqa: PLC0415 - takes 5 MiB, and many servers send nothing
        import httpx2  # noqa: PLC0415 - the same

        from tracker.outgoing.checked_network import CheckedNetwork  # noqa: PLC0415 - the same

        return httpcore2.AsyncConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False),
            max_connections=None,  # whoever sends bounds them, so that no receiver takes those of others
            keepalive_expiry=_KEEPALIVE_SECONDS,
            network_backend=CheckedNetwork(self.resolve),
        )

    async def refusal(self, url: str) -> str:
        """Return why an address may not be reached, as far as that is known now, or nothing."""
        try:
            target = _parsed(url)
            await self.resolve(target.raw_host.decode(), target.port or _HTTPS)
        except AddressRefusedError as error:
            return str(error)
        except OSError:  # it may be resolved later
            pass
        return ""

    async def resolve(self, host: str, port: int) -> str:
        """Return an address that a name stands for.

        Raises:
            AddressRefusedError: One of its addresses may not be reached.
            OSError: The name can't be resolved.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_RESOLVE_SECONDS):  # a TimeoutError is an OSError
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
        for address in addresses:
            if not may_reach(address, self._allowed):
                named = host if host == str(address) else f"{host} is {address}, which"
                raise AddressRefusedError(
                    f"{named} is not a public address;"
                    " WEBHOOK_ALLOWED_NETWORKS names those that may be reached too"
                )
        return str(addresses[0])

    async def request(self, verb: str, url: str, headers: Mapping[str, str], body: bytes) -> HttpAnswer:
        """Send a request, and return the answer, within 15 seconds.

        Raises:
            AddressRefusedError: The address may not be reached.
            NoAnswerError: There was no answer.
        """
        import httpcore2  # noqa: PLC0415 - the same

        target = _parsed(url)
        address = httpcore2.URL(
            scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path
        )
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _TIMEOUT)
        try:
            async with (
                asyncio.timeout(_TIMEOUT),
                self._pool.stream(
                    verb,
                    address,
                    headers=[*headers.items()],
                    content=body,
                    extensions={"timeout": timeouts},
                ) as response,
            ):
                text = b""
                async for chunk in response.aiter_stream():
                    text += chunk
                    if len(text) >= _TEXT_BYTES:
                        break
        except (TimeoutError, httpcore2.TimeoutException):
            raise NoAnswerError(f"no answer within {_TIMEOUT:.0f} seconds") from None
        except (OSError, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise NoAnswerError(str(error) or type(error).__name__) from None
        answered = {name.lower(): value for name, value in response.headers}
        retry_after = answered.get(b"retry-after", b"").decode("latin-1")
        return HttpAnswer(response.status, retry_after, text[:_TEXT_BYTES].decode("utf-8", "replace"))

    async def close(self) -> None:
        """Close the connections."""
        if "_pool" in vars(self):
            await self._pool.aclose()


def _parsed(url: str) -> httpx2.URL:
    """Return the parts of an address.

    Raises:
        AddressRefusedError: It is not an HTTP address, or has credentials.
    """
    import httpx2  # noqa: PLC0415 - the same

    try:
        target = httpx2.URL(url)
        host = target.raw_host
    except (httpx2.InvalidURL, ValueError) as error:
        raise AddressRefusedError(f"expected an address such as https://example.com/hooks: {error}") from None
    if target.scheme not in {"http", "https"} or not host:
        raise AddressRefusedError("expected an address such as https://example.com/hooks")
    if target.userinfo:
        raise AddressRefusedError("expected an address without a user name and password")
    return target
