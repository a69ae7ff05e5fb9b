"""Where webhooks send to: addresses that may be reached, and those whose secrets nobody is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from tracker.domain.query.fields import BY_NAME
from tracker.errors import FieldViolation, Reason, TrackerError, invalid, nearest
from tracker.pb import webhook_pb
from tracker.services.webhooks.messages import FOR_PEOPLE
from tracker.stores.webhooks import Credentials
from tracker.time_text import read_zone

if TYPE_CHECKING:
    from tracker.stores.webhooks import StoredWebhook

_Format = webhook_pb.WebhookFormat
_WITH_TOKEN: Final = frozenset({_Format.slack, _Format.grafana})


class Addresses(Protocol):
    """Knows which addresses may be reached."""

    async def refusal(self, url: str) -> str:
        """Return why an address may not be reached, or nothing."""


class AppriseAddresses(Protocol):
    """Knows addresses of apprise."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What `shown` raises for an address that is none; the message says why."""

    async def shown(self, url: str) -> str:
        """Return an address without its secrets."""


class Target(NamedTuple):
    """The address of a webhook as it is shown, and what is kept apart from the record."""

    shown: str
    credentials: Credentials = Credentials()


class Targets:
    """Checks the addresses of webhooks."""

    def __init__(self, addresses: Addresses, apprise: AppriseAddresses) -> None:
        self._addresses = addresses
        self._apprise = apprise

    async def of(self, webhook: webhook_pb.Webhook, url: str, token: str) -> Target:
        """Return the target of a webhook, given its address and the token of a bot, if any.

        Raises:
            TrackerError: INVALID_ARGUMENT; the address is none of its format or is refused, or a field lacks.
        """
        _require_token(webhook, token)
        if webhook.format is _Format.apprise:
            try:
                shown = await self._apprise.shown(url)
            except self._apprise.errors as error:
                raise _refused(str(error)) from None
            return Target(shown, Credentials(url))
        if not url.lower().startswith(("http://", "https://")):
            raise invalid(FieldViolation("url", "must begin with http:// or https://, but with apprise"))
        if refusal := await self._addresses.refusal(url):
            raise _refused(refusal)
        if token:
            return Target(url, Credentials(token=token))
        if webhook.format in FOR_PEOPLE:
            return Target(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}/****", Credentials(url))
        return Target(url)

    async def changed(
        self, before: StoredWebhook, webhook: webhook_pb.Webhook, url: str, token: str
    ) -> Target:
        """Return the target of a changed webhook: what the request has as it is shown stays as it was.

        Raises:
            TrackerError: As of `of`.
        """
        old = before.credentials
        if url == before.record.url and old.url:
            if webhook.format is not before.record.format:
                raise invalid(FieldViolation("url", "expected the whole address, since the format changes"))
            url = old.url
        how = webhook.notification
        moved = urlsplit(url).netloc != urlsplit(before.url).netloc
        has_token = webhook.format is _Format.grafana or (how is not None and how.channel)
        if has_token and not token and not moved and webhook.format is before.record.format:
            token = old.token
        return await self.of(webhook, url, token)


def _refused(why: str) -> TrackerError:
    wrong = FieldViolation("url", why)
    return TrackerError(Reason.WEBHOOK_ADDRESS_REFUSED, wrong.sentence, violations=[wrong])


def _require_token(webhook: webhook_pb.Webhook, token: str) -> None:
    """Refuse a token that a format can't use, and a format that lacks one."""
    channel = webhook.notification.channel if webhook.notification else ""
    if token and not (webhook.format in _WITH_TOKEN and token.isascii() and token.isprintable()):
        expected = "expected the token of a bot of Slack or of Grafana, with that format"
        raise invalid(FieldViolation("token", expected))
    if webhook.format is _Format.grafana:
        if not token:
            raise invalid(FieldViolation("token", "expected the token of a service account of Grafana"))
    elif bool(token) != bool(channel):
        lacking, has = ("token", "channel") if channel else ("notification.channel", "token")
        raise invalid(FieldViolation(lacking, f"is required with a {has}: a bot posts with both"))


def told(
    how: webhook_pb.Notification | None, format_: webhook_pb.WebhookFormat
) -> webhook_pb.Notification | None:
    """Return how a webhook tells people, or None where it does not.

    Raises:
        TrackerError: INVALID_ARGUMENT; the template, a zone, or a field to group by is wrong.
    """
    if format_ not in FOR_PEOPLE or how is None:
        return None
    from tracker.services.webhooks.templates import require_template  # noqa: PLC0415 - Jinja, which takes 4 MiB

    require_template(how.template)
    if how.time_zone and read_zone(how.time_zone) is None:
        problem = f"expected a time zone such as Europe/Paris, got {how.time_zone!r}"
        raise invalid(FieldViolation("notification.time_zone", problem))
    for number, name in enumerate(how.group_by):
        if name not in BY_NAME:
            problem = f"expected a field of events{nearest(name, BY_NAME)}, got {name!r}"
            raise invalid(FieldViolation(f"notification.group_by[{number}]", problem))
    return how
