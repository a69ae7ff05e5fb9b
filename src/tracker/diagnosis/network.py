"""Checks of ports, clocks, and servers that are asked."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

from tracker.diagnosis.findings import failed, ok, skipped, warning
from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tracker.config.settings import Settings
    from tracker.diagnosis.findings import Finding

_EVERYWHERE = ("::", "0.0.0.0")  # noqa: S104 - names to compare with, nothing is bound
_SKEW_WARNING, _SKEW_FAILED = 2.0, 60.0
"""Seconds between two clocks. Id tokens of CI jobs are refused when the server's is a minute off."""
_DATE_RESOLUTION = 1.0
_OK = 200
_MOST_BYTES = 16 * 2**20


class Answer(NamedTuple):
    """What a server answered: a status, its `Date` less the time of this machine, and a body."""

    status: int
    skew: float | None
    body: bytes


def host_of(settings: Settings) -> str:
    """Return the host by which this machine reaches its server."""
    return "localhost" if settings.host in _EVERYWHERE else settings.host


def ask(host: str, port: int, path: str, *, https: bool, timeout: float = 5.0) -> Answer:
    """Return the answer to a GET, without verifying the certificate: no secret is sent.

    Raises:
        OSError: There is no answer, or one that is not HTTP.
    """
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    if https:
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - nothing is sent
        connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    with closing(connection):
        before = time.time()
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(_MOST_BYTES)
        except http.client.RemoteDisconnected:
            raise
        except http.client.HTTPException as error:
            raise OSError(0, f"it does not speak HTTP ({type(error).__name__})") from None
        middle = (before + time.time()) / 2
    date, skew = answer.getheader("date"), None
    if date is not None:
        # `Date` is whole seconds, rounded down.
        skew = parsedate_to_datetime(date).timestamp() + _DATE_RESOLUTION / 2 - middle
    return Answer(answer.status, skew, body)


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Check who listens on the ports: this server, another program, or nobody yet."""
    from tracker.api.wires import require_free  # noqa: PLC0415 - the server's, for a check alone

    running = is_running(settings)
    for name in ("grpc_port", "http_port", "metrics_port"):
        port: int = getattr(settings, name)
        check, ours = name.upper(), running if name == "grpc_port" else is_running(settings, port)
        try:
            require_free(settings.host, port)
        except OSError as error:
            if ours:
                yield ok(check, f"{port}: the server listens")
            else:
                advice = f"stop what listens there, or set {check} to another port"
                yield failed(check, error.strerror or str(error), advice)
        else:
            yield ok(check, f"{port}: free, no server runs" if port else "any free port")


def is_running(settings: Settings, port: int | None = None) -> bool:
    """Return whether the server of this machine answers on a port, by default that of metrics."""
    port, https = settings.metrics_port if port is None else port, settings.tls_cert is not None
    try:
        answer = ask(host_of(settings), port, "/livez", https=https)
    except OSError:
        return False
    return answer.status == _OK


def check_ready(answer: Answer) -> Finding:
    """Check the answer of `/readyz`."""
    if answer.status == _OK:
        return ok("readiness", "the server is ready")
    try:
        text = json.loads(answer.body).get("message", "")
    except (ValueError, AttributeError):
        text = answer.body.decode(errors="replace")
    why = " ".join(str(text).split())[:200]
    return failed("readiness", f"/readyz answers {answer.status}: {why}", "see its log; it takes no changes")


def check_clock(skew: float | None, of: str) -> Finding:
    """Check by how many seconds another clock is ahead of this machine's."""
    if skew is None:
        return skipped("clock", f"{of} sends no time")
    off = abs(skew)
    text = f"that of {of} is {off:.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    advice = "let NTP set the clocks of both (chrony, systemd-timesyncd)"
    if off > _SKEW_FAILED:
        return failed("clock", text, advice)
    return warning("clock", text, advice) if off > _SKEW_WARNING else ok("clock", f"as that of {of}")


def check_issuers(urls: Sequence[str]) -> Iterator[Finding]:
    """Check that the keys of issuers of id tokens can be read."""
    if not urls:
        return
    import asyncio  # noqa: PLC0415 - slow to import

    try:
        from tracker.identity.issuers import Issuer  # noqa: PLC0415 - an extra, which may be missing
    except ModuleNotFoundError:
        yield failed("issuers", "joserfc is not installed", "install the extra `oidc` of tracker-server")
        return

    async def read(issuer: Issuer) -> Finding:
        try:
            await issuer.key(None)
        except TrackerError as error:
            advice = "see that this machine reaches it, and that its address is right"
            return failed("issuers", error.message, advice)
        finally:
            await issuer.close()
        return ok("issuers", f"the keys of {issuer.url} can be read")

    async def read_all() -> Iterable[Finding]:
        return await asyncio.gather(*(read(Issuer(url, time.monotonic)) for url in dict.fromkeys(urls)))

    yield from asyncio.run(read_all())
