"""Messages in Microsoft Teams: adaptive cards for a Workflow that begins with a webhook.

They take 28 kB: https://learn.microsoft.com/microsoftteams/platform/bots/how-to/format-your-bot-messages.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker.services.webhooks.channels import posted
from tracker.services.webhooks.notices import cut, fitting_lines, notice_of, summary_heading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from tracker.services.webhooks.channels import Http, Sent
    from tracker.services.webhooks.notices import Notice
    from tracker.stores.webhooks import Delivery, StoredWebhook

CARD_BYTES: Final = 28_000
"""The longest message that Teams takes."""
_NOTE: Final = "The text was longer than Teams takes, and was cut."
_COLOURS: Final = {"failure": "Attention", "success": "Good", "info": "Accent"}
_ESCAPED: Final = str.maketrans({sign: f"\\{sign}" for sign in "\\*_[]()#`~>"})


@dataclass(frozen=True, slots=True)
class Teams:
    """Posts cards to a Workflow."""

    _http: Http
    _public_url: str
    _zone: tzinfo

    async def send(self, webhook: StoredWebhook, deliveries: Sequence[Delivery], _receipt: str) -> Sent:
        """Send messages as one."""
        notices = [notice_of(each, self._public_url) for each in deliveries]
        told = webhook.record.notification
        body = self.card(notices, told.template if told else "")
        return await posted(self._http, webhook.url, {"content-type": "application/json"}, body)

    def card(self, notices: Sequence[Notice], template: str) -> bytes:
        """Return the message about some changes, with texts as long as fit."""
        most = CARD_BYTES
        while True:
            message = json.dumps(self._message(notices, template, most), ensure_ascii=False).encode()
            if len(message) <= CARD_BYTES:
                return message
            most = most * 2 // 3  # characters take several bytes, and some are escaped

    def _message(self, notices: Sequence[Notice], template: str, most: int) -> dict[str, Any]:
        first, *others = notices
        facts: Mapping[str, str] = {}
        if others:
            heading, mood, url = summary_heading(notices), "info", ""
            whole = "\n".join(f"- {escaped(each.line(template, self._zone))}" for each in notices)
            text = fitting_lines(whole.split("\n"), most)
        else:
            heading, mood, facts, url = first.text(template), first.mood, first.facts, first.url
            whole = escaped("\n".join(filter(None, (*first.news, "" if template else first.message))))
            text = cut(whole, most)
        body: list[dict[str, Any]] = [
            _text(cut(escaped(heading), most), size="Large", weight="Bolder", color=_COLOURS[mood])
        ]
        if text:
            body.append(_text(text.replace("\n", "\n\n")))
        if facts:
            listed = [{"title": name, "value": cut(escaped(value), most)} for name, value in facts.items()]
            body.append({"type": "FactSet", "facts": listed})
        if text != whole or len(heading) > most:
            body.append(_text(_NOTE, isSubtle=True))
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
        }
        if url:
            card["actions"] = [{"type": "Action.OpenUrl", "title": "Open in Tracker", "url": url}]
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        return {"type": "message", "attachments": [attachment]}


def _text(text: str, **more: object) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **more}


def escaped(text: str) -> str:
    """Return a text without meaning in the Markdown of cards."""
    return text.translate(_ESCAPED)
