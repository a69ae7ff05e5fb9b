"""Webhooks and their messages as they are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker.cli.printing import echo, print_record, say, shown_time
from tracker.cli.tables import Column

if TYPE_CHECKING:
    from tracker.cli.printing import Cell
    from tracker.pb import webhook_pb

WEBHOOKS = (
    Column("NAME"),
    Column("URL", least=16),
    Column("QUERY", rank=2, least=12),
    Column("CHANGES", rank=4, least=8),
    Column("STATE", rank=1),
    Column("ID", rank=3),
)
DELIVERIES = (
    Column("TIME"),
    Column("TYPE"),
    Column("STATE"),
    Column("ATTEMPTS", rank=3),
    Column("NEXT", rank=2),
    Column("LAST ERROR", rank=1, least=12),
    Column("EVENT", rank=4),
    Column("ID"),
)


def print_secret(did: str, webhook: webhook_pb.Webhook | None, secret: str) -> None:
    """Print the secret of a webhook, or its public key; of one for people, nothing but its id."""
    if webhook is None:
        return
    if secret:
        say(f"{did} the webhook {webhook.name}; its id is {webhook.id}. The secret is shown only once:")
        echo(secret)
    elif webhook.public_keys:
        say(f"{did} the webhook {webhook.name}; its id is {webhook.id}. The public key of its signatures:")
        echo(webhook.public_keys[0])
    else:
        say(f"{did} the webhook {webhook.name}; its id:")
        echo(webhook.id)


def print_webhook(webhook: webhook_pb.Webhook) -> None:
    """Print a webhook."""
    how = webhook.notification
    print_record(
        {
            "id": webhook.id,
            "name": webhook.name,
            "url": webhook.url,
            "query": webhook.query or "all events",
            "changes": ", ".join(str(each.name) for each in webhook.changes) or "all",
            "format": webhook.format.name,
            "signature": webhook.signature.name,
            "public keys": ", ".join(webhook.public_keys),
            "channel": how.channel if how else "",
            "template": how.template if how else "",
            "quiet hours": how.quiet_hours if how else "",
            "digest at": how.digest_at if how else "",
            "time zone": how.time_zone if how else "",
            "group by": ", ".join(how.group_by) if how else "",
            "state": _state(webhook),
            "created by": webhook.created_by,
            "created": shown_time(webhook.created_at),
            "updated": shown_time(webhook.updated_at),
        }
    )


def _state(webhook: webhook_pb.Webhook) -> str:
    if webhook.disabled:
        return f"disabled: {webhook.disabled_reason}" if webhook.disabled_reason else "disabled"
    return f"failing since {shown_time(webhook.failing_since)}" if webhook.failing_since else "enabled"


def webhook_row(webhook: webhook_pb.Webhook) -> tuple[Cell, ...]:
    """Return the row of a webhook in a table of `WEBHOOKS`."""
    return (
        webhook.name,
        webhook.url,
        webhook.query,
        ",".join(str(each.name) for each in webhook.changes),
        _state(webhook),
        webhook.id,
    )


def delivery_row(each: webhook_pb.WebhookDelivery) -> tuple[Cell, ...]:
    """Return the row of a message in a table of `DELIVERIES`."""
    problem = f"{each.last_status} {each.last_error}" if each.last_status else each.last_error
    return (
        each.created_at,
        each.type,
        each.state.name,
        str(each.attempts),
        each.next_attempt_at,
        problem if each.last_error else "",
        each.event_id,
        each.id,
    )
