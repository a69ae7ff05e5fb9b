"""Checks of the records of a store that need attention: tokens, webhooks, the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tracker.diagnosis.findings import SOON, date, days, failed, ok, skipped, warning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tracker.diagnosis.findings import Finding
    from tracker.pb import auth_pb, webhook_pb

_SIGNED_WITHIN = timedelta(minutes=20)
"""Entries of the audit log are signed after ten minutes while a server runs."""


def check_tokens(keys: Iterable[auth_pb.ApiKey]) -> Finding:
    """Find tokens that expire soon."""
    now, valid, ending = datetime.now(UTC), 0, list[tuple[datetime, str]]()
    for each in keys:
        expires = None if each.expires_at is None else each.expires_at.to_datetime()
        if each.revoked_at is not None or (expires is not None and expires <= now):
            continue
        valid += 1
        if expires is not None and expires < now + SOON:
            ending.append((expires, each.name))
    if not ending:
        return ok("tokens", f"{valid} valid, none expires within {SOON.days} days")
    first, _ = min(ending)
    return warning(
        "tokens",
        f"{len(ending)} of {valid} expire within {SOON.days} days, the first in {days(first - now)}",
        "replace them with `tracker token rotate`, or let those end that nobody uses",
        [name for _, name in sorted(ending)],
    )


def check_webhooks(webhooks: Sequence[webhook_pb.Webhook], failed_messages: int | None) -> Finding:
    """Find webhooks that the server has disabled or that fail, and messages that failed."""
    off = [each.name for each in webhooks if each.disabled_reason]
    failing = [each.name for each in webhooks if each.failing_since is not None and each.name not in off]
    if off:
        return failed(
            "webhooks",
            f"{len(off)} disabled by the server, since all attempts failed",
            "repair their receivers, then `tracker webhook update --enable` and `tracker webhook replay`",
            off,
        )
    if failing or failed_messages:
        found = [f"{len(failing)} fail now"] if failing else []
        found += [f"{failed_messages} messages failed"] if failed_messages else []
        return warning(
            "webhooks",
            ", ".join(found),
            "see `tracker webhook deliveries`, repair the receiver, and `tracker webhook replay`",
            failing,
        )
    return ok("webhooks", f"{len(webhooks)}, no message failed")


def check_audit(last: datetime | None, signed: datetime | None, *, running: bool) -> Finding:
    """Find whether the newest entries of the audit log are signed."""
    if last is None:
        return skipped("audit log", "it has no entries yet")
    if signed is None or last > signed:
        since = signed or last
        if running and datetime.now(UTC) - last > _SIGNED_WITHIN:
            return failed(
                "audit log",
                f"its newest entries are not signed, the last checkpoint is of {date(since)}",
                "look for `background task failed` of the task `audit` in the server's log",
            )
        if not running:
            return warning(
                "audit log",
                "its newest entries are not signed: no server runs, or it was killed",
                "start the server, which signs them",
            )
    return ok("audit log", f"signed up to {date(signed or last)}")
