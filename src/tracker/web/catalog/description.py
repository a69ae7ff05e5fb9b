"""What the catalog says about an entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from tracker.web.catalog.names import choice_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from tracker.pb import catalog_pb
    from tracker.web.times import Times

_SEVERITIES: Final = ("critical", "high", "medium", "low", "info")


class Link(NamedTuple):
    """An address of an entry, as it is stored, and what it is."""

    kind: str
    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Description:
    """What the catalog says about an entry."""

    text: str
    facts: Sequence[tuple[str, str]]
    links: Sequence[Link]
    infrastructure: Sequence[tuple[str, str]]
    updated: Markup
    updated_by: str


def description(entry: catalog_pb.Catalog, times: Times) -> Description:
    """Return what an entry says of itself."""
    return Description(
        entry.description,
        [fact for fact in _facts(entry) if fact[1]],
        [link for link in _links(entry) if link.name or link.target],
        [
            (each.name or each.id, _joined(choice_words(each.type), each.provider, each.region))
            for each in entry.infrastructure_resources
        ],
        times.long_tag(entry.updated_at),
        entry.updated_by,
    )


def _facts(entry: catalog_pb.Catalog) -> Iterator[tuple[str, str]]:
    yield "owner", entry.owner
    yield "type", choice_words(entry.type)
    yield "platform", choice_words(entry.platform)
    yield "language", choice_words(entry.languages)
    seen = entry.observed
    if seen is None:
        yield "version in use", f"{entry.version}{' (pinned)' if entry.version_pinned else ''}"
    else:
        yield "version in use", f"{seen.version} ({seen.environment})"
        yield "version as written", entry.version if entry.version != seen.version else ""
    yield "latest version", entry.latest_version or (seen.latest_version if seen else "")
    yield "reference version", entry.reference_version
    yield "available versions", ", ".join(entry.available_versions)
    if (sla := entry.sla) is not None:
        uptime = f"{sla.uptime_percentage.value:g} % uptime" if sla.uptime_percentage is not None else ""
        answers = f"answers in {sla.response_time_ms.value} ms" if sla.response_time_ms is not None else ""
        yield "service level", _joined(choice_words(sla.level), uptime, answers, sla.description)
    if (found := entry.vulnerability_summary) is not None:
        counts = ((getattr(found, f"{severity}_count"), severity) for severity in _SEVERITIES)
        yield "vulnerabilities", ", ".join(f"{count} {severity}" for count, severity in counts if count)


def _links(entry: catalog_pb.Catalog) -> Iterator[Link]:
    yield Link("documentation", entry.link, entry.link)
    yield Link("repository", entry.repository, entry.repository)
    for channel in entry.communication_channels:
        yield Link(choice_words(channel.type) or "channel", channel.name, channel.url)
    for board in entry.dashboard_links:
        yield Link(choice_words(board.type) or "dashboard", board.name, board.url)
    if entry.vulnerability_summary is not None:
        for source in entry.vulnerability_summary.sources:
            yield Link("scan", source.name, source.url)


def _joined(*words: str) -> str:
    return " · ".join(filter(None, words))
