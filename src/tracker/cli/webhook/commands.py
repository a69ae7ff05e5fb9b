"""`tracker webhook`: creates, changes and tests webhooks, and shows what they have sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli.exits import WEBHOOK_TABLE
from tracker.cli.helped import client_group
from tracker.cli.named import only_named
from tracker.cli.options import (
    ListApi,
    RecordApi,
    Yes,
    choice_option,
    command_of,
    confirm_deletion,
    number_option,
)
from tracker.cli.printing import echo
from tracker.cli.tables import Table
from tracker.cli.time_options import duration, duration_option, end_option, moment_option, timestamp
from tracker.cli.webhook.options import (
    BotToken,
    Changes,
    Format,
    GrafanaToken,
    Name,
    NotificationOptions,
    Query,
    given,
    token_of,
)
from tracker.cli.webhook.shown import (
    DELIVERIES,
    WEBHOOKS,
    delivery_row,
    print_secret,
    print_webhook,
    webhook_row,
)

if TYPE_CHECKING:
    from tracker.cli.calls import Api
    from tracker.pb import webhook_pb

app = client_group("Send changes of events to other systems as they happen.", WEBHOOK_TABLE)
command = partial(command_of, app, codes=WEBHOOK_TABLE)

_MOST = 1_000


@command("create")
def create(
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="Address that messages are sent to; -: a line of standard input."),
    ],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="What it is for.")],
    query: Query = None,
    change: Changes = None,
    format_: Format = None,
    bot_token: BotToken = None,
    grafana_token: GrafanaToken = None,
    notification: NotificationOptions,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="Sign with a key pair, so that the receiver has no secret.")
    ] = False,
    api: RecordApi,
) -> None:
    """Create a webhook, and print the secret that its receiver verifies messages with.

    It is printed only once, alone on standard output. Messages are signed as Standard Webhooks has it.
    One for people, by Slack, Teams, Grafana, or mail and others by apprise, has no secret: its id is printed.

    Example: tracker webhook create https://example.com/hooks --name pager --query status:failure
    """
    from tracker.client.rpcs import CREATE_WEBHOOK

    request = CREATE_WEBHOOK.of(
        {
            "name": name,
            "url": given(url),
            "query": query or "",
            "changes": list(change or ()),
            "format": format_ or "WEBHOOK_FORMAT_UNSPECIFIED",
            "signature": "ed25519" if ed25519 else "hmac",
            "token": token_of(format_ or "", notification.channel or "", bot_token, grafana_token),
        }
    )
    request.notification = notification.onto(None)
    answer = api.call(CREATE_WEBHOOK, request)
    api.show(answer, lambda: print_secret("created", answer.webhook, answer.secret))


@command("list")
def list_(*, api: ListApi) -> None:
    """List the webhooks, by name."""
    from tracker.client.rpcs import LIST_WEBHOOKS

    answer = api.whole(LIST_WEBHOOKS, LIST_WEBHOOKS.request())
    api.show_list(answer, answer.webhooks, Table(WEBHOOKS, webhook_row), "there are no webhooks")


@command("show")
def show(webhook: Name, *, api: RecordApi) -> None:
    """Show a webhook."""
    found = _found(api, webhook)
    api.show(found, lambda: print_webhook(found))


@command("update")
def update(
    webhook: Name,
    *,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Another address.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    query: Query = None,
    change: Changes = None,
    format_: Format = None,
    bot_token: BotToken = None,
    grafana_token: GrafanaToken = None,
    notification: NotificationOptions,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether changes are sent.")
    ] = None,
    api: RecordApi,
) -> None:
    """Change what a webhook does; what no option names stays as it is.

    From then on it gets the events that you may read.

    Example: tracker webhook update pager --query 'status:failure environment:production'
    """
    from tracker.client.rpcs import UPDATE_WEBHOOK

    old = _found(api, webhook)
    told = notification.onto(old.notification)
    request = UPDATE_WEBHOOK.request(
        id=old.id,
        name=old.name if name is None else name,
        url=old.url if url is None else given(url),
        query=old.query if query is None else query,
        changes=old.changes if change is None else UPDATE_WEBHOOK.of({"changes": list(change)}).changes,
        format=old.format if format_ is None else UPDATE_WEBHOOK.of({"format": format_}).format,
        disabled=old.disabled if enabled is None else not enabled,
        token=token_of(format_ or old.format.name, told.channel, bot_token, grafana_token),
        notification=told,
    )
    answer = api.call(UPDATE_WEBHOOK, request)
    api.show(answer, lambda: print_webhook(answer.webhook or old))


@command("rotate")
def rotate(
    webhook: Name,
    *,
    overlap: Annotated[
        timedelta | None,
        duration_option(
            "How long messages are signed with the old secret too, up to 30 days.  [default: 1d]"
        ),
    ] = None,
    api: RecordApi,
) -> None:
    """Replace the secret of a webhook, and print the new one.

    Example: tracker webhook rotate pager --overlap 1h
    """
    from tracker.client.rpcs import ROTATE_WEBHOOK_SECRET

    request = ROTATE_WEBHOOK_SECRET.request(id=_found(api, webhook).id, overlap=duration(overlap))
    answer = api.call(ROTATE_WEBHOOK_SECRET, request)
    api.show(answer, lambda: print_secret("replaced the secret of", answer.webhook, answer.secret))


@command("delete")
def delete(webhook: Name, *, yes: Yes = False, api: RecordApi) -> None:
    """Delete a webhook, with its messages."""
    from tracker.client.rpcs import DELETE_WEBHOOK

    found = _found(api, webhook)
    confirm_deletion(yes, "webhook", lambda: found.name)
    answer = api.call(DELETE_WEBHOOK, DELETE_WEBHOOK.request(id=found.id))
    api.show(answer, lambda: echo(f"deleted the webhook {found.name}"))


@command("test")
def test(webhook: Name, *, api: RecordApi) -> None:
    """Send a message of type webhook.test.

    Example: tracker webhook test pager
    """
    from tracker.client.rpcs import TEST_WEBHOOK

    found = _found(api, webhook)
    answer = api.call(TEST_WEBHOOK, TEST_WEBHOOK.request(id=found.id))
    sent = answer.delivery.id if answer.delivery else ""
    see = f"`tracker webhook deliveries {found.name}` shows what became of it"
    api.show(answer, lambda: echo(f"sent {sent} to {found.url}; {see}"))


@command("deliveries")
def deliveries(
    webhook: Name,
    *,
    state: Annotated[
        str | None,
        choice_option(
            "webhook_pb.WebhookDelivery.State", "Those of a state: waiting, delivered, failed.", "--state"
        ),
    ] = None,
    limit: Annotated[int, number_option("How many to print.", "--limit", "-n", least=1, most=_MOST)] = 100,
    api: ListApi,
) -> None:
    """List the messages of a webhook, the newest first.

    Example: tracker webhook deliveries pager --state failed
    """
    from tracker.client.rpcs import LIST_WEBHOOK_DELIVERIES

    request = LIST_WEBHOOK_DELIVERIES.of(
        {"id": _found(api, webhook).id, "state": state or "STATE_UNSPECIFIED", "limit": limit}
    )
    answer = api.call(LIST_WEBHOOK_DELIVERIES, request)
    api.show_list(answer, answer.deliveries, Table(DELIVERIES, delivery_row), "no messages")


@command("replay")
def replay(
    webhook: Name,
    delivery: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Ids of messages; else see the options.")
    ] = None,
    *,
    since: Annotated[
        datetime | None,
        moment_option("About changes since then, such as 2h (ago)."),
    ] = None,
    until: Annotated[
        datetime | None,
        end_option("About changes until then, such as yesterday."),
    ] = None,
    api: RecordApi,
) -> None:
    """Send messages again: those with some ids, or of a time; without these, those that failed.

    Example: tracker webhook replay pager --since 2h
    """
    from tracker.client.rpcs import REPLAY_WEBHOOK_DELIVERIES

    request = REPLAY_WEBHOOK_DELIVERIES.request(
        id=_found(api, webhook).id,
        delivery_ids=delivery or [],
        since=timestamp(since),
        until=timestamp(until),
    )
    answer = api.call(REPLAY_WEBHOOK_DELIVERIES, request)
    api.show(
        answer, lambda: echo(f"{answer.count} message{'s are' if answer.count != 1 else ' is'} sent again")
    )


def _found(api: Api, name: str) -> webhook_pb.Webhook:
    """Return the webhook of an id or a name."""
    from tracker.client.rpcs import LIST_WEBHOOKS

    known = api.whole(LIST_WEBHOOKS, LIST_WEBHOOKS.request()).webhooks
    return only_named(known, name, lambda each: each.name, one="webhook", several="webhooks are named")
