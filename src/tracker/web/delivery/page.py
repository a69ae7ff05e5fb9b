"""The page of delivery metrics: how often, how fast and how safely changes reach production."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from protobuf.wkt import UInt32Value

from tracker.delivery_text import NAMES, counted_text, seconds_text, totals_text, value_text
from tracker.domain.times import micros
from tracker.errors import FieldViolation, TrackerError, invalid
from tracker.number_text import number_of
from tracker.pb import delivery_pb, event_pb
from tracker.pb.options import name_if_set, number_named, wire_name
from tracker.time_text import MICROS, moment_text
from tracker.web.charts import ticks
from tracker.web.site import View
from tracker.web.times import read_time
from tracker.web.visit import Part, address, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protobuf.wkt import Timestamp

    from tracker.web.visit import Visit

PATH: Final = "/insights/delivery"
METHODS: Final = (("four_keys", "Four Keys"), ("devlake", "DevLake"), ("datadog", "Datadog"))
GROUPS: Final = ("service", "team", "environment")
_RANGES: Final = (("", "3 months"), ("30d", "30 days"), ("365d", "a year"))
_EVENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Tile:
    """A number as it is shown."""

    name: str
    value: str
    band: str
    level: str
    counted: str
    href: str


@dataclass(frozen=True, slots=True)
class Bar:
    """An interval: its place, the heights of all deployments and of the failures, in a box of 1000 by 100."""

    x: float
    width: float
    height: float
    failed: float
    label: str
    href: str
    cells: Sequence[str]


class DeliveryPage:
    """Shows delivery metrics, and the events behind one of them."""

    path = PATH

    async def show(self, visit: Visit) -> View:
        """Show the numbers that the address asks for."""
        status = HTTPStatus.OK
        try:
            request = _request(visit)
        except TrackerError as error:  # what was entered stays
            request = delivery_pb.GetDeliveryMetricsRequest()
            found: Part[delivery_pb.GetDeliveryMetricsResponse] = Part(None, error)
            status = HTTPStatus(error.reason.http_status)
        else:
            found = await part(visit.ask(request, delivery_pb.GetDeliveryMetricsResponse))
        answer = found.value
        groups = [] if answer is None else answer.groups
        method = "" if answer is None else wire_name(answer.method)
        return View(
            "delivery/page.html",
            status,
            error=found.error,
            tiles=[] if answer is None or answer.total is None else _tiles(answer.total),
            totals="" if answer is None or answer.total is None else totals_text(answer.total),
            notes=[] if answer is None or answer.total is None else _notes(answer.total),
            groups=[(each.name or "none", each.deployments, _tiles(each)) for each in groups],
            others=0 if answer is None else answer.other_groups,
            bars=[] if answer is None else _bars(answer, visit),
            most=0 if answer is None else max((each.deployments for each in answer.buckets), default=0),
            ticks=() if answer is None else ticks(_edges(answer), visit.times),
            names=[*NAMES.values()],
            span="" if answer is None else _span(answer, visit),
            environments="" if answer is None else ", ".join(map(wire_name, answer.environments)),
            methods=[
                (name, words, visit.here(PATH, method=name, after=""), name == method)
                for name, words in METHODS
            ],
            by=[(name, visit.here(PATH, by=name, group="", after="")) for name in GROUPS],
            ranges=[(words, visit.here(PATH, to="", after="", **{"from": of}), of) for of, words in _RANGES],
            chosen={
                name: visit.one(name)
                for name in ("service", "team", "environment", "from", "to", "by", "method")
            },
            metric=NAMES.get(visit.one("metric"), ""),
            group=visit.one("group"),
            events=[] if answer is None else _events(answer, visit),
            next=visit.here(PATH, after=answer.next_page_token) if answer and answer.next_page_token else "",
            api=address("/api/v1alpha1/delivery/metrics", _pairs(request)),
            tracker=_command(request),
        )


def _request(visit: Visit) -> delivery_pb.GetDeliveryMetricsRequest:
    """Return what the address asks for.

    Raises:
        TrackerError: INVALID_ARGUMENT; it names something that there is not.
    """
    environments = [
        _number(event_pb.Environment, "environment", each) for each in visit.several("environment")
    ]
    since, until = (_moment(visit, name) for name in ("from", "to"))
    return delivery_pb.GetDeliveryMetricsRequest(
        method=delivery_pb.Method(_number(delivery_pb.Method, "method", visit.one("method"))),
        services=[*visit.several("service")],
        team=visit.one("team"),
        environments=[event_pb.Environment(each) for each in environments],
        start_date=since,
        end_date=until,
        time_zone=visit.zone,
        by=delivery_pb.GroupBy(_number(delivery_pb.GroupBy, "by", visit.one("by"))),
        events_of=delivery_pb.Metric(_number(delivery_pb.Metric, "metric", visit.one("metric"))),
        group=visit.one("group"),
        limit=UInt32Value(value=_EVENTS),
        page_token=visit.one("after"),
    )


def _number(
    of: type[delivery_pb.Method | delivery_pb.GroupBy | delivery_pb.Metric | event_pb.Environment],
    field: str,
    name: str,
) -> int:
    number = number_named(of.desc(), name) if name else 0
    if number is None:
        raise invalid(
            FieldViolation(
                field, f"expected one of {', '.join(wire_name(each) for each in of if each)}, got {name!r}"
            )
        )
    return number


def _moment(visit: Visit, name: str) -> str:
    """Return a parameter with a time as the RPC takes it: the end of a day for `to`."""
    text = visit.one(name)
    if not text:
        return ""
    found = read_time(visit.clock, name, text)
    return moment_text((found.low if name == "from" else found.high - 1) // MICROS * MICROS)


def _tiles(group: delivery_pb.DeliveryGroup) -> list[Tile]:
    return [
        Tile(
            NAMES[wire_name(each.metric)],
            value_text(each),
            name_if_set(each.band),
            each.level or each.no_data,
            counted_text(each),
            f"{each.link}#events" if each.counted or each.among else "",
        )
        for each in group.metrics
    ]


def _notes(group: delivery_pb.DeliveryGroup) -> list[str]:
    return [
        *dict.fromkeys(
            f"{NAMES[wire_name(each.metric)]}: {gap}" for each in group.metrics for gap in each.gaps
        )
    ]


def _edges(answer: delivery_pb.GetDeliveryMetricsResponse) -> Sequence[int]:
    """Return where the intervals of a chart begin, and where the last one ends."""
    return [*(_micros(each.start) for each in answer.buckets), _micros(answer.end)] if answer.buckets else []


def _bars(answer: delivery_pb.GetDeliveryMetricsResponse, visit: Visit) -> list[Bar]:
    """Return the intervals of a chart; each leads to its own metrics."""
    buckets = answer.buckets
    most = max((each.deployments for each in buckets), default=0)
    if not most:
        return []
    starts = [_micros(each.start) for each in buckets]
    width, bars = 1000 / len(buckets), []
    for number, (each, start) in enumerate(zip(buckets, starts, strict=True)):
        end = starts[number + 1] if number + 1 < len(buckets) else _micros(answer.end)
        spans = [
            seconds_text(getattr(each, name)) if each.has_field(name) else ""
            for name in ("lead_time", "time_to_restore")
        ]
        cells = (visit.times.short(start), f"{each.deployments:,}", f"{each.failures:,}", *spans)
        counts = f"{number_of(each.deployments, 'deployment')}, {number_of(each.failures, 'failure')}"
        label = f"{cells[0]}: {counts}"
        since, until = max(start, _micros(answer.start)), (end - 1) // MICROS * MICROS
        href = visit.here(PATH, after="", to=moment_text(until), **{"from": moment_text(since)})
        height, failed = (round(100 * count / most, 2) for count in (each.deployments, each.failures))
        bars.append(Bar(number * width, width, height, min(height, failed), label, href, cells))
    return bars


def _events(answer: delivery_pb.GetDeliveryMetricsResponse, visit: Visit) -> list[tuple[str, ...]]:
    is_duration = visit.one("metric") in {"lead_time", "time_to_restore"}
    rows: list[tuple[str, ...]] = []
    for each in answer.events:
        value = f"{each.value:g}" if each.has_field("value") else ""
        if value and is_duration:
            value = seconds_text(each.value)
        because = f"/events/{each.because_of}" if each.because_of else ""
        rows.append(
            (
                visit.times.short(_micros(each.at)),
                f"/events/{each.id}",
                each.title,
                each.service,
                value,
                each.reason,
                because,
            )
        )
    return rows


def _micros(moment: Timestamp | None) -> int:
    return 0 if moment is None else micros(moment)


def _span(answer: delivery_pb.GetDeliveryMetricsResponse, visit: Visit) -> str:
    return f"{visit.times.short(_micros(answer.start))} to {visit.times.short(_micros(answer.end))}"


def _pairs(request: delivery_pb.GetDeliveryMetricsRequest) -> list[tuple[str, str]]:
    """Return the parameters of the same call over REST."""
    pairs = [
        ("method", name_if_set(request.method)),
        *(("services", each) for each in request.services),
        ("team", request.team),
        *(("environments", wire_name(each)) for each in request.environments),
        ("startDate", request.start_date),
        ("endDate", request.end_date),
        ("timeZone", request.time_zone),
        ("by", name_if_set(request.by)),
        ("eventsOf", name_if_set(request.events_of)),
        ("group", request.group),
    ]
    return [(name, value) for name, value in pairs if value]


def _command(request: delivery_pb.GetDeliveryMetricsRequest) -> str:
    options = {
        "services": "service",
        "environments": "environment",
        "startDate": "since",
        "endDate": "until",
        "eventsOf": "events",
    }
    asked = [
        f"--{options.get(name, name)} {shlex.quote(value)}"
        for name, value in _pairs(request)
        if name != "timeZone"
    ]
    return " ".join(["tracker dora", *asked])
