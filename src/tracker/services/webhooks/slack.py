"""Messages in Slack: https://docs.slack.dev/reference/block-kit, and the calls of its API that post them.

A bot has a thread for each deployment: its first message is updated, and what happens is told below it. An
incoming webhook can't do that: each of its messages stands alone.

What has markup of ours is rich text, where all text is literal: that of Slack (mrkdwn) can't escape `*_~` and
backquotes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tracker.domain.deployments import UNDECIDED, WORK
from tracker.domain.events import FINISHED, RUNNING, attributes_of, event_id
from tracker.services.webhooks.channels import Sent, failure, posted
from tracker.services.webhooks.notices import cut, fitting_lines, notice_of, summary_heading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from tracker.pb import event_pb
    from tracker.services.webhooks.channels import Http
    from tracker.services.webhooks.notices import Notice
    from tracker.stores.webhooks import Delivery, StoredWebhook

APPROVE: Final = "tracker_approve"
REJECT: Final = "tracker_reject"
RELEASE: Final = "tracker_release"
"""The actions of buttons; the value of each is the id of an event."""

SECTION: Final = 3_000
"""Characters of a text in a block."""
_FALLBACK: Final = 3_000
_SIGNS: Final = {"failure": "red_circle", "success": "large_green_circle", "info": "large_blue_circle"}
_ESCAPED: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_LOST: Final = frozenset({"thread_not_found", "message_not_found"})


@dataclass(frozen=True, slots=True)
class Slack:
    """Posts to a channel as a bot, or to an incoming webhook; `_with_buttons` if answers are received."""

    _http: Http
    _public_url: str
    _zone: tzinfo
    _with_buttons: bool

    async def send(self, webhook: StoredWebhook, deliveries: Sequence[Delivery], receipt: str) -> Sent:
        """Send messages as one: what is new in their thread, or a new thread without a receipt."""
        notices = [notice_of(each, self._public_url) for each in deliveries]
        told = webhook.record.notification
        template = told.template if told else ""
        whole = self._whole(notices, template, buttons=bool(webhook.credentials.token))
        if not webhook.credentials.token:
            headers = {"content-type": "application/json"}
            return await posted(self._http, webhook.url, headers, json.dumps(whole).encode())
        place = {"channel": told.channel if told else ""}
        if not receipt:
            return await self._first(webhook, whole | place, deliveries)
        channel, ts, about = receipt.split(" ")
        if about == deliveries[0].event:
            updated = await self._call(webhook, "chat.update", whole | {"channel": channel, "ts": ts})
            if updated.status == 429 or not updated.status:  # noqa: PLR2004 - too many, or no answer
                return updated
        reply = _reply(notices[0], template) | {"channel": channel, "thread_ts": ts}
        sent = await self._call(webhook, "chat.postMessage", reply)
        if sent.problem in _LOST:  # it was deleted there
            return await self._first(webhook, whole | place, deliveries)
        return sent._replace(receipt=receipt)

    async def _first(
        self, webhook: StoredWebhook, message: dict[str, Any], deliveries: Sequence[Delivery]
    ) -> Sent:
        """Post the message that begins a thread; its receipt is channel, time stamp and event."""
        sent = await self._call(webhook, "chat.postMessage", message)
        return sent._replace(receipt=f"{sent.receipt} {deliveries[0].event}") if not sent.problem else sent

    async def _call(self, webhook: StoredWebhook, method: str, message: dict[str, Any]) -> Sent:
        """Call a method of the API: success is `ok` in the body of an answer, not its status."""
        headers = {
            "content-type": "application/json; charset=utf-8",
            "authorization": f"Bearer {webhook.credentials.token}",
        }
        address = f"{webhook.url.rstrip('/')}/{method}"
        try:
            answer = await self._http.request("POST", address, headers, json.dumps(message).encode())
        except self._http.errors as error:
            return Sent(problem=str(error))
        try:
            said = json.loads(answer.text)
        except ValueError:
            said = None
        if answer.succeeded and isinstance(said, dict) and said.get("ok") is True:
            return Sent(answer.status, receipt=f"{said.get('channel', '')} {said.get('ts', '')}")
        problem = said.get("error") if isinstance(said, dict) else None
        return Sent(answer.status, str(problem or failure(answer)), answer.retry_after)

    def _whole(self, notices: Sequence[Notice], template: str, *, buttons: bool) -> dict[str, Any]:
        if len(notices) > 1:
            heading = summary_heading(notices)
            listed = fitting_lines((each.line(template, self._zone) for each in notices), SECTION)
            return _message(heading, [_section(f"*{heading}*"), _rich(_text(listed))])
        (notice,) = notices
        told = cut(notice.text(template), 1_000)
        title = _text(told, bold=True) | ({"type": "link", "url": notice.url} if notice.url else {})
        blocks = [_rich({"type": "emoji", "name": _SIGNS[notice.mood]}, _text(" "), title)]
        if notice.message and not template:
            blocks.append(_section(escaped(notice.message)))
        facts: list[dict[str, Any]] = []
        for name, value in notice.facts.items():
            if name != "status":
                facts += [_text(f" · {name} " if facts else f"{name} "), _text(value, bold=True)]
        if facts:
            blocks.append(_rich(*facts))
        if buttons and self._with_buttons and (shown := _buttons(notice.event)):
            blocks.append({"type": "actions", "elements": shown})
        return _message(told, blocks)


def _message(text: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a message whose `text` is for notifications of the system, without links it would unfurl."""
    return {"text": cut(escaped(text), _FALLBACK), "blocks": blocks, "unfurl_links": False}


def _reply(notice: Notice, template: str) -> dict[str, Any]:
    news = notice.text(template) if template else "\n".join(notice.news) or notice.heading
    told = cut(escaped(news), SECTION)
    return _message(cut(news, SECTION), [_section(f":{_SIGNS[notice.mood]}: {cut(told, SECTION - 40)}")])


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION)}}


def _rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [*elements]}]}


def _text(text: str, *, bold: bool = False) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"style": {"bold": True}} if bold else {})}


def _buttons(event: event_pb.Event) -> list[dict[str, Any]]:
    """Return the buttons of an event that waits for an approval, or whose lock may be held."""
    attributes, shown = attributes_of(event), []
    if attributes.type not in WORK:
        return []
    if attributes.status in UNDECIDED:
        shown += [_button("Approve", APPROVE, event, "primary"), _button("Reject", REJECT, event, "danger")]
    elif attributes.status in RUNNING and attributes.service and attributes.environment:
        shown.append(_button("Release lock", RELEASE, event, "danger"))
    return shown if attributes.status not in FINISHED else []


def _button(label: str, action: str, event: event_pb.Event, style: str) -> dict[str, Any]:
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": label},
        "action_id": action,
        "value": event_id(event),
        "style": style,
    }


def escaped(text: str) -> str:
    """Return a text without meaning for Slack: no links, nobody notified."""
    return text.translate(_ESCAPED)
