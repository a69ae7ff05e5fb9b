"""How requests get to a server: whether they leave this machine, what TLS is given, and in which trace."""

from __future__ import annotations

import ipaddress
import os
import ssl
from typing import Literal

import httpx2

from tracker.traces import HEADER, VARIABLE, trace_of


def tls() -> ssl.SSLContext | Literal[True]:
    """Return what httpx2 is given: True, or a context that has the certificate of `TRACKER_CLIENT_CERT`.

    Both trust the authorities of the system, or those of `SSL_CERT_FILE`.

    Raises:
        OSError: The certificate can't be used; the message names it.
    """
    certificate = os.environ.get("TRACKER_CLIENT_CERT")
    if not certificate:
        return True
    context = httpx2.create_ssl_context()
    try:
        context.load_cert_chain(certificate, os.environ.get("TRACKER_CLIENT_KEY") or None, "")
    except OSError as error:
        reason = error.strerror
        if isinstance(error, ssl.SSLError):
            reason = "expected PEM, and its key in the same file or in that of TRACKER_CLIENT_KEY"
        message = f"the certificate of TRACKER_CLIENT_CERT can't be used: {certificate}: {reason}"
        raise OSError(message) from None
    return context


def is_loopback(host: str) -> bool:
    """Return whether a host of a URL is this machine, by its name or address alone."""
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def trace_headers() -> dict[str, str]:
    """Return the header for the trace that this process belongs to, if any."""
    parent = os.environ.get(VARIABLE, "")
    return {HEADER: parent.strip()} if trace_of(parent) else {}
