"""Checks of a server by what it answers, from any machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tracker import __version__
from tracker.audit.chain import AUDIT, CHECKPOINT
from tracker.client.connection import ApiError
from tracker.client.rpcs import (
    LIST_API_KEYS,
    LIST_AUDIT_ENTRIES,
    LIST_WEBHOOK_DELIVERIES,
    LIST_WEBHOOKS,
    ME,
)
from tracker.diagnosis.findings import SOON, days, failed, ok, skipped, warning
from tracker.diagnosis.network import ask, check_clock, check_ready
from tracker.diagnosis.records import check_audit, check_tokens, check_webhooks
from tracker.errors import Code, Reason
from tracker.number_text import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tracker.client.connection import Connection
    from tracker.diagnosis.findings import Finding


_MOST = 1_000
"""The most records that a call lists."""


def check_server(connection: Connection) -> Iterator[Finding]:
    """Check whether a server is reached and ready, its clock and certificate, and the records that it lists.

    What the caller has no permission for is skipped.
    """
    parts = urlsplit(connection.server)
    https = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if https else 80)
    try:
        ready = ask(host, port, f"{parts.path}/readyz", https=https)
    except OSError as error:
        why = getattr(error, "strerror", None) or str(error)
        yield failed("server", f"no answer from {connection.server}: {why}", "start it, or correct --server")
        return
    yield ok("server", f"{connection.server} answers, this Tracker is {__version__}")
    yield check_ready(ready)
    yield check_clock(ready.skew, "the server")
    if https:
        from tracker.diagnosis.tls import check_peer  # noqa: PLC0415 - slow to import

        try:
            yield check_peer(host, port)
        except (OSError, ValueError) as error:
            advice = "see its TLS_CERT and what is in front of it"
            yield failed("TLS certificate", f"it can't be read: {error}", advice)
    else:
        yield skipped("TLS certificate", "the address is not https")
    yield from _attempt("credentials", lambda: _me(connection))
    yield from _attempt("tokens", lambda: _tokens(connection))
    yield from _attempt("webhooks", lambda: _webhooks(connection))
    yield from _attempt("audit log", lambda: _audit(connection))


def _attempt(check: str, make: Callable[[], Finding]) -> Iterator[Finding]:
    try:
        yield make()
    except ApiError as error:
        if check == "credentials" and error.reason == Reason.INVALID_CREDENTIALS:
            yield failed(
                check, "the server refuses the token: it is unknown, expired or revoked", "replace it"
            )
        elif error.code in (Code.PERMISSION_DENIED, Code.UNAUTHENTICATED):
            yield skipped(check, error.message, "give a token that may read it: tracker login, --token-file")
        else:
            yield failed(check, error.message, "see the server's log")


def _me(connection: Connection) -> Finding:
    me = connection.call(ME, ME.request())
    may = number_of(len(me.permissions), "permission")
    expires = None if me.expires_at is None else me.expires_at.to_datetime()
    if me.kind == "apikey" and expires is not None and expires < (now := datetime.now(UTC)) + SOON:
        text = f"the token of this caller expires in {days(expires - now)}"
        return warning("credentials", text, "replace it with `tracker token rotate`")
    return ok("credentials", f"the server takes this caller for: {me.kind}, {may}")


def _tokens(connection: Connection) -> Finding:
    return check_tokens(connection.call(LIST_API_KEYS, LIST_API_KEYS.request()).api_keys)


def _webhooks(connection: Connection) -> Finding:
    webhooks = connection.call(LIST_WEBHOOKS, LIST_WEBHOOKS.request()).webhooks
    given_up = 0
    for each in webhooks:
        asked = LIST_WEBHOOK_DELIVERIES.of({"id": each.id, "state": "failed", "limit": _MOST})
        found = connection.call(LIST_WEBHOOK_DELIVERIES, asked)
        given_up += len(found.deliveries)
    return check_webhooks(webhooks, given_up)


def _audit(connection: Connection) -> Finding:
    def newest(record: str, action: str, limit: int) -> datetime | None:
        asked = LIST_AUDIT_ENTRIES.request(record=record, newest_first=True, limit=limit)
        found = connection.call(LIST_AUDIT_ENTRIES, asked).entries
        moments = (each.at for each in found if action in ("", each.action) and each.at is not None)
        return next((moment.to_datetime() for moment in moments), None)

    return check_audit(newest("", "", 1), newest(AUDIT, CHECKPOINT, _MOST), running=True)
