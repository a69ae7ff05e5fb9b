"""The webhooks of a server, put together from their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tracker.outgoing.apprise import AppriseProcesses
from tracker.outgoing.public_http import PublicHttp
from tracker.pb import webhook_pb
from tracker.services.webhooks.apprise import Mail
from tracker.services.webhooks.channels import Signed
from tracker.services.webhooks.grafana import Grafana
from tracker.services.webhooks.outbox import WebhookOutbox
from tracker.services.webhooks.sender import WebhookSender
from tracker.services.webhooks.service import WebhookService
from tracker.services.webhooks.slack import Slack
from tracker.services.webhooks.targets import Targets
from tracker.services.webhooks.teams import Teams

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AsyncExitStack

    from tracker.assembly.tracing import Tracing
    from tracker.config.settings import Settings
    from tracker.services.consumers import Consumer
    from tracker.services.context import Context
    from tracker.services.webhooks.channels import Channel
    from tracker.services.webhooks.sender import SenderObserver
    from tracker.stores.webhooks import WebhookStore
    from tracker.supervision import Supervisor

_Format = webhook_pb.WebhookFormat


class Webhooks(NamedTuple):
    """The service of webhooks, the consumer of changes for them, and what sends their requests."""

    service: WebhookService
    consumer: Consumer
    http: PublicHttp


def open_webhooks(
    settings: Settings,
    store: WebhookStore,
    context: Context,
    observer: SenderObserver,
    tasks: Supervisor,
    opened: AsyncExitStack,
    tracing: Tracing,
) -> Webhooks:
    """Begin to send messages."""
    http = PublicHttp(settings.webhook_allowed_networks)
    opened.push_async_callback(http.close)
    apprise = AppriseProcesses.opened(settings.webhook_allowed_networks)
    sending = tracing.over(http)
    signed, shown = Signed(sending, context.now), (settings.auth_public_url, settings.timezone)
    channels: Mapping[webhook_pb.WebhookFormat, Channel] = {
        _Format.native: signed,
        _Format.cloudevents: signed,
        _Format.cdevents: signed,
        _Format.slack: Slack(sending, *shown, settings.slack_signing_secret is not None),
        _Format.teams: Teams(sending, *shown),
        _Format.grafana: Grafana(sending, settings.auth_public_url),
        _Format.apprise: Mail(apprise, *shown),
    }
    traced = {
        kind: tracing.over_channel(channel, "notify" if kind is _Format.apprise else "")
        for kind, channel in channels.items()
    }
    sender = WebhookSender(store, context, traced, observer)
    opened.push_async_callback(sender.close)
    tasks.repeat("webhooks", sender.work)
    opened.push_async_callback(tasks.stop, "webhooks")
    service = WebhookService(store, context, Targets(http, apprise), sender.wake)
    return Webhooks(service, WebhookOutbox(store, context, sender.wake).consumer(), http)
