"""Which addresses the fields of events and catalog entries take, that a page may make links of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracker.errors import TrackerError
from tracker.pb import catalog_pb, event_pb
from tracker.transcoding.rules import check_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from protobuf import Message

REQUESTS: dict[str, Callable[[str], Message]] = {
    "links.pull_request_link": lambda text: event_pb.CreateEventRequest(
        title="t",
        attributes=event_pb.EventAttributes(service="s", type=event_pb.Type.drift),
        links=event_pb.EventLinks(pull_request_link=text),
    ),
    "links.ticket": lambda text: event_pb.UpdateEventRequest(id="x", links=event_pb.EventLinks(ticket=text)),
    "events[0].links.ticket": lambda text: event_pb.ImportEventsRequest(
        events=[event_pb.Event(title="t", links=event_pb.EventLinks(ticket=text))]
    ),
    "link": lambda text: entry(link=text),
    "repository": lambda text: entry(repository=text),
    "communication_channels[0].url": lambda text: entry(
        communication_channels=[catalog_pb.CommunicationChannel(url=text)]
    ),
    "dashboard_links[0].url": lambda text: entry(dashboard_links=[catalog_pb.DashboardLink(url=text)]),
    "vulnerability_summary.sources[0].url": lambda text: entry(
        vulnerability_summary=catalog_pb.VulnerabilitySummary(
            sources=[catalog_pb.VulnerabilitySource(url=text)]
        )
    ),
}
"""Requests by the field that holds an address."""


def entry(**fields: object) -> catalog_pb.CreateUpdateCatalogRequest:
    return catalog_pb.CreateUpdateCatalogRequest(name="n", owner="o", version="1", **fields)  # type: ignore[arg-type]  # any field


def fields_refused(field: str, text: str) -> list[str]:
    try:
        check_rules(REQUESTS[field](text))
    except TrackerError as error:
        return [violation.field for violation in error.violations]
    return []


@pytest.mark.parametrize("field", REQUESTS)
@pytest.mark.parametrize(
    "text",
    [
        *("javascript:alert(1)", "JaVaScript:x", "\tjavascript:x", "\x01 javascript:x", "java\nscript:x"),
        *("javascript:1/alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://x"),
    ],
)
def test_an_address_has_no_scheme_but_that_of_the_web_or_of_mail(field: str, text: str) -> None:
    assert fields_refused(field, text) == [field]


@pytest.mark.parametrize("field", REQUESTS)
@pytest.mark.parametrize(
    "text",
    [
        *("", "OPS-1", "#12", "https://x.example/y", "HTTP://x", "mailto:ada@x.example", "x.example:8080/y"),
        *("localhost:3000", "/path:x", "git@github.com:a/b.git", "see https://x", "Zürich: x", "日本:x"),
    ],
)
def test_text_without_a_scheme_is_taken_as_before(field: str, text: str) -> None:
    assert not fields_refused(field, text)
