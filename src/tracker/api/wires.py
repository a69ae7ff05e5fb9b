"""What both wires need: the sockets that servers listen on, and the ids of requests."""

from __future__ import annotations

import re
import socket

import uuid_utils


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address, ready to listen on.

    Port 0 stands for any that is free. Host `::` is every interface, IPv6 and IPv4, or IPv4 alone
    where there is no IPv6.

    Raises:
        OSError: The address is not available; the message names it.
    """
    try:
        return _bind(host, port)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {address(host, port)}: {error.strerror}") from None


def address(host: str, port: int) -> str:
    """Return an address as in a URL: `127.0.0.1:8080`, `[::]:8080`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _bind(host: str, port: int) -> socket.socket:
    if host == "::" and not socket.has_dualstack_ipv6():
        host = "0.0.0.0"  # noqa: S104 - what `::` stands for where there is no IPv6
    family, kind, _, _, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    # Named as TCP, since asyncio turns Nagle's algorithm off for such sockets only.
    listener = socket.socket(family, kind, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, host != "::")
        listener.bind(where)
    except OSError:
        listener.close()
        raise
    return listener


REQUEST_ID_HEADER = "x-request-id"
"""Header over REST, metadata key over gRPC, in requests and in answers."""

_SANE = re.compile(r"[A-Za-z0-9._-]{1,128}")


def request_id_of(given: str | None) -> str:
    """Return the id `given` with a request, or a new one."""
    return given if given is not None and _SANE.fullmatch(given) else uuid_utils.uuid7().hex
