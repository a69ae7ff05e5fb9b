"""Options of the commands for webhooks."""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from tracker.cli import completing
from tracker.cli.helped import options_of
from tracker.cli.options import choice_option
from tracker.cli.time_options import duration, duration_option

if TYPE_CHECKING:
    from tracker.pb import webhook_pb

Name = Annotated[
    str,
    typer.Argument(
        metavar="WEBHOOK", autocompletion=completing.webhook_names, help="Name or id of the webhook."
    ),
]
Query = Annotated[
    str | None,
    typer.Option(metavar="QUERY", help="Which events it gets, such as `status:failure`.  [default: all]"),
]
Changes = Annotated[
    list[str] | None,
    choice_option(
        "webhook_pb.Webhook.Change", "Changes that it gets; may be repeated.  [default: all]", "--change"
    ),
]
Format = Annotated[
    str | None,
    choice_option(
        "webhook_pb.WebhookFormat",
        "Form of its messages: native, cloudevents or cdevents; for people slack, teams, grafana or apprise.",
        "--format",
    ),
]
BotToken = Annotated[
    str | None,
    typer.Option(
        envvar="SLACK_BOT_TOKEN",
        metavar="TOKEN",
        help="Token of a bot of Slack, xoxb-..., which posts to a channel; the URL is https://slack.com/api.",
    ),
]
GrafanaToken = Annotated[
    str | None,
    typer.Option(
        envvar="GRAFANA_TOKEN",
        metavar="TOKEN",
        help="Token of a service account of Grafana, which writes annotations; the URL is that of Grafana.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """How people are told; each field is an option, None where the option is not given."""

    channel: Annotated[
        str | None,
        typer.Option(metavar="CHANNEL", help="Channel of Slack that the bot posts to, such as C012345."),
    ] = None
    template: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Text for people, such as `{{ event.title }} is {{ event.status }}`."
        ),
    ] = None
    quiet_hours: Annotated[
        str | None,
        typer.Option(
            metavar="FROM-UNTIL",
            help="Quiet hours, such as 22:00-07:00: at their end, one message has all that happened.",
        ),
    ] = None
    digest_at: Annotated[
        str | None,
        typer.Option(
            metavar="HH:MM", help="Time of day at which all of a day is sent in one message, such as 09:00."
        ),
    ] = None
    time_zone: Annotated[
        str | None,
        typer.Option(
            metavar="ZONE",
            help="Time zone of these times, such as Europe/Paris.  [default: that of the server]",
        ),
    ] = None
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="Field, such as environment: events with the same value are one thread; may be repeated.",
        ),
    ] = None
    group_for: Annotated[
        timedelta | None,
        duration_option("How long after a message the next one is in the same thread, such as 6h."),
    ] = None

    def onto(self, old: webhook_pb.Notification | None) -> webhook_pb.Notification:
        """Return how people are told from now on: as the options say, else as before."""
        from tracker.pb import webhook_pb

        how = webhook_pb.Notification() if old is None else old
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                setattr(how, field.name, duration(value) if isinstance(value, timedelta) else value)
        return how


NotificationOptions = Annotated[Notification, options_of(Notification)]


def token_of(format_: str, channel: str, bot: str | None, grafana: str | None) -> str:
    """Return the token that messages of a format are sent with, or nothing."""
    if format_ == "grafana":
        return grafana or ""
    return (bot or "") if channel else ""


def given(url: str) -> str:
    """Return an address; `-` stands for a line of standard input, which no list of processes shows."""
    return sys.stdin.readline().strip() if url == "-" else url
