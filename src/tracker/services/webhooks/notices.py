"""What people are told of events: the texts that every channel for people has in its own form."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from protobuf import message_from_json_value

from tracker.domain import changelog
from tracker.domain.events import ENDED_BADLY, FINISHED, attributes_of, event_id
from tracker.domain.query.fields import BY_NAME
from tracker.domain.times import micros
from tracker.number_text import number_of
from tracker.pb import event_pb
from tracker.pb.options import wire_name
from tracker.time_text import MINUTE, datetime_of, moment_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import tzinfo

    from tracker.stores.webhooks import Delivery

FACTS: Final = ("status", "service", "environment", "version", "type", "priority", "impact", "owner")
"""The fields of an event that people are shown, in their order."""

_UNHEARD: Final = frozenset({"slack_id"})
_LONGEST_VALUE: Final = 200
_LONGEST_MESSAGE: Final = 2_000
_JUST_BEFORE: Final = MINUTE


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told of one change of an event: `news` are lines, `url` is its page, or empty."""

    kind: str
    at: int
    event: event_pb.Event
    news: Sequence[str]
    url: str

    @property
    def facts(self) -> Mapping[str, str]:
        """The values of the event's fields that have one, by their names."""
        values = ((name, _fact(name, self.event)) for name in FACTS)
        return {name: value for name, value in values if value not in {"", "false"}}

    @property
    def mood(self) -> str:
        """Whether the event has failed or succeeded: `failure`, `success`, or else `info`."""
        status = attributes_of(self.event).status
        return "failure" if status in ENDED_BADLY else "success" if status in FINISHED else "info"

    @property
    def heading(self) -> str:
        """The title of the event, after its status."""
        status = self.facts.get("status", "")
        title = cut(self.event.title, 500)
        return f"{status.replace('_', ' ')}: {title}" if status else title

    @property
    def message(self) -> str:
        """The message of the event."""
        return attributes_of(self.event).message.strip()

    def text(self, template: str) -> str:
        """Return the text of a template about the change; never an empty one."""
        from tracker.services.webhooks.templates import rendered  # noqa: PLC0415 - Jinja, which takes 4 MiB

        return rendered(template, self._values()) or self.heading

    def line(self, template: str, zone: tzinfo) -> str:
        """Return the change in one line of a list."""
        told = " ".join(self.text(template).split()) if template else self.heading
        about = [self.facts[name] for name in ("service", "environment") if name in self.facts]
        where = f" ({', '.join(about)})" if about and not template else ""
        return f"{datetime_of(self.at).astimezone(zone):%H:%M} {cut(told, 300)}{where}"

    def _values(self) -> Mapping[str, object]:
        event = self.event
        fields = {name: cut(_fact(name, event), 1_000) for name in (*FACTS, "source", "external_id")}
        labels = {name: cut(value, 1_000) for name, value in attributes_of(event).labels.items()}
        message = cut(self.message, _LONGEST_MESSAGE)
        shown = {"id": event_id(event), "title": event.title, "message": message, "labels": labels}
        links = event.links or event_pb.EventLinks()
        shown |= {"pull_request_link": links.pull_request_link, "ticket": links.ticket}
        what = self.kind.rpartition(".")[2]
        return {
            "event": fields | shown,
            "change": what,
            "news": "; ".join(self.news),
            "time": moment_text(self.at),
            "url": self.url,
        }


def _fact(name: str, event: event_pb.Event) -> str:
    field = BY_NAME[name]
    return cut(field.shown(field.value(event)), _LONGEST_VALUE)


def cut(text: str, most: int) -> str:
    """Return a text of up to so many characters, which says with an ellipsis that it was longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def news_of(
    before: event_pb.Event | None, after: event_pb.Event, at: int
) -> Sequence[event_pb.ChangelogEntry]:
    """Return what people hear of a change of an event at a moment: its new entries in the changelog.

    Of a large event, nobody knows how it was before: then those are new that were made last, just before.
    """
    if before is None:
        last = max((_moment(each) for each in after.changelog), default=0)
        new = [each for each in after.changelog if _moment(each) == last >= at - _JUST_BEFORE]
    else:
        known = {entry.to_binary() for entry in before.changelog}
        new = [each for each in after.changelog if each.to_binary() not in known]
    return [changelog.shortened_entry(each) for each in new if each.field not in _UNHEARD]


def _moment(entry: event_pb.ChangelogEntry) -> int:
    return 0 if entry.timestamp is None else micros(entry.timestamp)


def notice_of(delivery: Delivery, public_url: str) -> Notice:
    """Return what a message for people tells; `public_url` is the address of this server, or empty."""
    body = json.loads(delivery.body)
    event: event_pb.Event = message_from_json_value(event_pb.Event, body["data"])
    entries = (message_from_json_value(event_pb.ChangelogEntry, each) for each in body.get("news", ()))
    lines = tuple(_line(each) for each in entries)
    if delivery.type == "event.deleted":
        lines = ("deleted",)
    page = f"{public_url.rstrip('/')}/events/{event_id(event)}" if public_url else ""
    return Notice(delivery.type, delivery.created_at, event, lines, page)


def _line(entry: event_pb.ChangelogEntry) -> str:
    if entry.field and (entry.old_value or entry.new_value):
        old, new = (cut(each, _LONGEST_VALUE) for each in (entry.old_value, entry.new_value))
        told = f"{entry.field}: {old} → {new}" if old else f"{entry.field}: {new}"
    else:
        told = cut(entry.comment, _LONGEST_MESSAGE) or wire_name(entry.change_type)
        if entry.comment and entry.change_type in _SAID:
            told = f"{wire_name(entry.change_type)}: {told}"
    who = entry.user if entry.user not in {"", changelog.SYSTEM} else ""
    return f"{told} (by {who})" if who else told


_SAID: Final = frozenset(
    {event_pb.ChangeType.approved, event_pb.ChangeType.rejected, event_pb.ChangeType.commented}
)


def summary_heading(notices: Sequence[Notice]) -> str:
    """Return how many events a summary is about, and how many of them have failed."""
    latest = {event_id(each.event): each for each in notices}
    moods = Counter(each.mood for each in latest.values())
    events = number_of(len(latest), "event")
    parts = [f"{moods[mood]} {name}" for mood, name in (("failure", "failed"), ("success", "succeeded"))]
    told = ", ".join(part for part, mood in zip(parts, ("failure", "success"), strict=True) if moods[mood])
    return f"{events}: {told}" if told else events


def fitting_lines(lines: Iterable[str], most: int) -> str:
    """Return lines of up to so many characters together; the last says how many are left out."""
    every = [*lines]
    kept: list[str] = []
    room = most - len("… and 1000000 more")
    for line in every:
        room -= len(line) + 1
        if room < 0:
            return "\n".join([*kept, f"… and {len(every) - len(kept)} more"])
        kept.append(line)
    return "\n".join(kept)
