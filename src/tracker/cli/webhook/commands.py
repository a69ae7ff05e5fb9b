"""`tracker webhook`: creates, changes and tests webhooks, and shows what they have sent."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.exits import WEBHOOK_TABLE, CommandError
from tracker.cli.helped import client_group
from tracker.cli.options import (
    ListApi,
    RecordApi,
    Yes,
    choice_option,
    command_of,
    confirm_deletion,
    duration_option,
    end_option,
    moment_option,
    number_option,
)
from tracker.cli.printing import echo, print_record, say, shown_time
from tracker.cli.tables import Column, Table

if TYPE_CHECKING:
    from tracker.cli.calls import Api
    from tracker.cli.printing import Cell
    from tracker.pb import webhook_pb

app = client_group("Send changes of events to other systems as they happen.", WEBHOOK_TABLE)
command = partial(command_of, app, codes=WEBHOOK_TABLE)

_MOST = 1_000

Name = Annotated[
    str,
    typer.Argument(
        metavar="WEBHOOK", autocompletion=completing.webhook_names, help="Name or id of the webhook."
    ),
]
Query = Annotated[
    str | None,
    typer.Option(metavar="QUERY", help="Which events it hears of, such as `status:failure`; else of all."),
]
Changes = Annotated[
    list[str] | None,
    choice_option(
        "webhook_pb.Webhook.Change", "Changes that it hears of, else of all; may be repeated.", "--change"
    ),
]
Format = Annotated[
    str | None,
    choice_option("webhook_pb.WebhookFormat", "Form of its messages: native or cloudevents.", "--format"),
]
_WEBHOOKS = (
    Column("NAME"),
    Column("URL", least=16),
    Column("QUERY", rank=2, least=12),
    Column("CHANGES", rank=4, least=8),
    Column("STATE", rank=1),
    Column("ID", rank=3),
)
_DELIVERIES = (
    Column("TIME"),
    Column("TYPE"),
    Column("STATE"),
    Column("ATTEMPTS", rank=3),
    Column("NEXT", rank=2),
    Column("LAST ERROR", rank=1, least=12),
    Column("EVENT", rank=4),
    Column("ID"),
)


@command("create")
def create(  # noqa: PLR0913  # one for each option
    url: Annotated[str, typer.Argument(metavar="URL", help="Address that messages are sent to.")],
    *,
    name: Annotated[str, typer.Option(metavar="NAME", help="What it is for.")],
    query: Query = None,
    change: Changes = None,
    format_: Format = None,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="Sign with a key pair, so that the receiver has no secret.")
    ] = False,
    api: RecordApi,
) -> None:
    """Create a webhook, and print the secret that its receiver verifies messages with.

    It is printed only this once, alone on standard output. Messages are signed as Standard Webhooks has it.

    Example: tracker webhook create https://example.com/hooks --name pager --query status:failure
    """
    from tracker.client.rpcs import CREATE_WEBHOOK

    request = CREATE_WEBHOOK.of(
        {
            "name": name,
            "url": url,
            "query": query or "",
            "changes": list(change or ()),
            "format": format_ or "WEBHOOK_FORMAT_UNSPECIFIED",
            "signature": "ed25519" if ed25519 else "hmac",
        }
    )
    answer = api.call(CREATE_WEBHOOK, request)
    api.show(answer, lambda: _print_secret("created", answer.webhook, answer.secret))


@command("list")
def list_(*, api: ListApi) -> None:
    """List the webhooks, by name."""
    from tracker.client.rpcs import LIST_WEBHOOKS

    answer = api.whole(LIST_WEBHOOKS, LIST_WEBHOOKS.request())
    api.show_list(answer, answer.webhooks, Table(_WEBHOOKS, _row), "there are no webhooks")


@command("show")
def show(webhook: Name, *, api: RecordApi) -> None:
    """Show a webhook."""
    found = _found(api, webhook)
    api.show(found, lambda: _print(found))


@command("update")
def update(  # noqa: PLR0913  # one for each option
    webhook: Name,
    *,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Another address.")] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="Another name.")] = None,
    query: Query = None,
    change: Changes = None,
    format_: Format = None,
    enabled: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Whether changes are sent.")
    ] = None,
    api: RecordApi,
) -> None:
    """Change what a webhook does; what no option names stays as it is.

    From then on it hears of the events that you may read.

    Example: tracker webhook update pager --query 'status:failure environment:production'
    """
    from tracker.client.rpcs import UPDATE_WEBHOOK

    old = _found(api, webhook)
    request = UPDATE_WEBHOOK.request(
        id=old.id,
        name=old.name if name is None else name,
        url=old.url if url is None else url,
        query=old.query if query is None else query,
        changes=old.changes if change is None else UPDATE_WEBHOOK.of({"changes": list(change)}).changes,
        format=old.format if format_ is None else UPDATE_WEBHOOK.of({"format": format_}).format,
        disabled=old.disabled if enabled is None else not enabled,
    )
    answer = api.call(UPDATE_WEBHOOK, request)
    api.show(answer, lambda: _print(answer.webhook or old))


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
    from protobuf.wkt import Duration

    from tracker.client.rpcs import ROTATE_WEBHOOK_SECRET

    request = ROTATE_WEBHOOK_SECRET.request(
        id=_found(api, webhook).id, overlap=None if overlap is None else Duration.from_timedelta(overlap)
    )
    answer = api.call(ROTATE_WEBHOOK_SECRET, request)
    api.show(answer, lambda: _print_secret("replaced the secret of", answer.webhook, answer.secret))


@command("delete")
def delete(webhook: Name, *, yes: Yes = False, api: RecordApi) -> None:
    """Delete a webhook, with its messages."""
    from tracker.client.rpcs import DELETE_WEBHOOK

    found = _found(api, webhook)
    if not yes:
        confirm_deletion("webhook", lambda: found.name)
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
    api.show_list(answer, answer.deliveries, Table(_DELIVERIES, _delivery_row), "no messages")


@command("replay")
def replay(
    webhook: Name,
    delivery: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Ids of messages; else see the options.")
    ] = None,
    *,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=moment_option, metavar="TIME", help="About changes since then, such as 2h (ago)."
        ),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(parser=end_option, metavar="TIME", help="About changes until then, such as yesterday."),
    ] = None,
    api: RecordApi,
) -> None:
    """Send messages again: those with some ids, or of a time; without these, those that were given up.

    Example: tracker webhook replay pager --since 2h
    """
    from protobuf.wkt import Timestamp

    from tracker.client.rpcs import REPLAY_WEBHOOK_DELIVERIES

    request = REPLAY_WEBHOOK_DELIVERIES.request(
        id=_found(api, webhook).id,
        delivery_ids=delivery or [],
        since=None if since is None else Timestamp.from_datetime(since),
        until=None if until is None else Timestamp.from_datetime(until),
    )
    answer = api.call(REPLAY_WEBHOOK_DELIVERIES, request)
    api.show(answer, lambda: echo(f"{answer.count} messages are sent again"))


def _found(api: Api, name: str) -> webhook_pb.Webhook:
    """Return the webhook of an id or a name."""
    from tracker.client.rpcs import LIST_WEBHOOKS

    known = api.whole(LIST_WEBHOOKS, LIST_WEBHOOKS.request()).webhooks
    found = [each for each in known if each.id == name.lower()] or [
        each for each in known if each.name == name
    ]
    if len(found) != 1:
        raise CommandError(
            f"{len(found)} webhooks are named {name}; give the id of one" if found else f"no webhook {name}"
        )
    return found[0]


def _print_secret(did: str, webhook: webhook_pb.Webhook | None, secret: str) -> None:
    if webhook is None:
        return
    if secret:
        say(f"{did} the webhook {webhook.name}; its id is {webhook.id}. The secret is shown this once:")
        echo(secret)
    else:
        say(f"{did} the webhook {webhook.name}; its id is {webhook.id}. The public key of its signatures:")
        echo(webhook.public_keys[0])


def _print(webhook: webhook_pb.Webhook) -> None:
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


def _row(webhook: webhook_pb.Webhook) -> tuple[Cell, ...]:
    return (
        webhook.name,
        webhook.url,
        webhook.query,
        ",".join(str(each.name) for each in webhook.changes),
        _state(webhook),
        webhook.id,
    )


def _delivery_row(each: webhook_pb.WebhookDelivery) -> tuple[Cell, ...]:
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
