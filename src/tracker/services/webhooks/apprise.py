"""Messages by mail and other services that apprise knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tracker.services.webhooks.channels import Sent
from tracker.services.webhooks.notices import cut, fitting_lines, notice_of, summary_heading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from tracker.services.webhooks.notices import Notice
    from tracker.stores.webhooks import Delivery, StoredWebhook

_LONGEST: Final = 20_000


class Apprise(Protocol):
    """Sends texts by addresses of apprise."""

    async def notify(self, url: str, title: str, body: str, mood: str) -> str:
        """Send a text; return why that failed, or nothing. `mood` is `info`, `success` or `failure`."""


@dataclass(frozen=True, slots=True)
class Mail:
    """Sends a title and a text, which is never empty: without one, apprise sends nothing."""

    _apprise: Apprise
    _public_url: str
    _zone: tzinfo

    async def send(self, webhook: StoredWebhook, deliveries: Sequence[Delivery], _receipt: str) -> Sent:
        """Send messages as one."""
        notices = [notice_of(each, self._public_url) for each in deliveries]
        told = webhook.record.notification
        template = told.template if told else ""
        if len(notices) > 1:
            lines = (each.line(template, self._zone) for each in notices)
            title, body, mood = summary_heading(notices), fitting_lines(lines, _LONGEST), "info"
        else:
            (notice,) = notices
            title, body, mood = cut(notice.heading, 200), _body(notice, template), notice.mood
        return Sent(problem=await self._apprise.notify(webhook.url, title, body, mood))


def _body(notice: Notice, template: str) -> str:
    if template:
        return notice.text(template)
    facts = "\n".join(f"{name}: {value}" for name, value in notice.facts.items())
    parts = (*notice.news, notice.message, facts, notice.url)
    return cut("\n\n".join(part for part in parts if part), _LONGEST) or notice.heading
