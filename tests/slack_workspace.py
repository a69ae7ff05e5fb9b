"""A workspace of Slack on the loopback interface: it refuses what the real one does, and keeps messages."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN = "xoxb-1-2-canary"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


class Message(NamedTuple):
    """A message of a channel, in a thread or not, and how often it was changed."""

    channel: str
    ts: str
    thread: str
    content: dict[str, Any]
    updates: int

    @property
    def shown(self) -> str:
        """Everything that people read in it."""
        return json.dumps(self.content, ensure_ascii=False)

    @property
    def actions(self) -> Mapping[str, str]:
        """The values of its buttons, by their actions."""
        blocks = (each for each in self.content["blocks"] if each["type"] == "actions")
        return {button["action_id"]: button["value"] for block in blocks for button in block["elements"]}


class SlackWorkspace:
    """Answers `chat.postMessage` and `chat.update` as https://docs.slack.dev/reference/methods has it."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}

    @property
    def threads(self) -> list[Message]:
        """The messages that begin threads."""
        return [each for each in self.messages.values() if not each.thread]

    def replies(self, parent: Message) -> list[Message]:
        """Return the messages in a thread."""
        return [each for each in self.messages.values() if each.thread == parent.ts]

    def say(self, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return the answer to a call."""
        try:
            return json.dumps({"ok": True, **self._do(path, headers, json.loads(body))}).encode()
        except _Refused as refused:
            return json.dumps({"ok": False, "error": str(refused)}).encode()

    def _do(self, path: str, headers: Mapping[str, str], content: dict[str, Any]) -> dict[str, Any]:
        if headers["authorization"] != f"Bearer {TOKEN}":
            raise _Refused("invalid_auth")
        require_valid(content)
        ts, thread = content.pop("ts", ""), content.pop("thread_ts", "")
        match path.rpartition("/")[2]:
            case "chat.postMessage":
                if thread and thread not in self.messages:
                    raise _Refused("thread_not_found")
                ts = f"1700000000.{len(self.messages):06}"
                message = Message("C9", ts, thread, content, 0)
            case "chat.update":
                if ts not in self.messages or content["channel"] != "C9":
                    raise _Refused("message_not_found")
                message = self.messages[ts]._replace(content=content, updates=self.messages[ts].updates + 1)
            case _:
                raise _Refused("unknown_method")
        self.messages[ts] = message
        return {"channel": "C9", "ts": ts, "message": content}


class _Refused(Exception):  # noqa: N818 - reads as what Slack did
    pass


def require_valid(content: Mapping[str, Any]) -> None:
    """Refuse what is beyond the limits of https://docs.slack.dev/reference/block-kit/blocks."""
    blocks = content["blocks"]
    if not content["text"] or len(content["text"]) > 40_000:
        raise _Refused("msg_too_long" if content["text"] else "no_text")
    if not 0 < len(blocks) <= 50:
        raise _Refused("invalid_blocks")
    for block in blocks:
        match block["type"]:
            case "section":
                fits = 0 < len(block["text"]["text"]) <= 3_000
            case "rich_text":
                fits = all(map(_rich_text_fits, block["elements"]))
            case "actions":
                fits = len(block["elements"]) <= 25 and all(map(_button_fits, block["elements"]))
            case _:
                fits = False
        if not fits:
            raise _Refused("invalid_blocks_format")


def _rich_text_fits(section: Mapping[str, Any]) -> bool:
    named = {"text": "text", "link": "url", "emoji": "name"}
    elements = section["elements"]
    return section["type"] == "rich_text_section" and all(each[named[each["type"]]] for each in elements)


def _button_fits(button: Mapping[str, Any]) -> bool:
    lengths = (len(button["text"]["text"]), len(button["action_id"]), len(button["value"]))
    return all(0 < length <= most for length, most in zip(lengths, (75, 255, 2_000), strict=True))


def pressed(
    action: str,
    value: str,
    at: int,
    *,
    user: str = "U1",
    secret: str = SIGNING_SECRET,
    told_at: str = "https://hooks.slack.com/actions/T1/1/x",
) -> Any:
    """Return the body and the headers of what Slack sends when somebody presses a button at a time."""
    payload = {
        "type": "block_actions",
        "user": {"id": user, "username": "alice.a"},
        "actions": [{"action_id": action, "value": value, "type": "button"}],
        "response_url": told_at,
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    signature = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": str(at),
        "x-slack-signature": f"v0={signature}",
    }
    return {"content": body, "headers": headers}
