"""Metrics: their names and labels, and that no client can make them grow without bound."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tracker import __version__
from tracker.domain.access import PrincipalKind
from tracker.errors import Reason
from tracker.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from tracker.api.calls.steps import CallObserver
    from tracker.services.events.reporter import EventObserver
    from tracker.stores.base import StoreObserver

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(max_services=2)


def series(metrics: Metrics) -> Series:
    text = metrics.exposition("")[0].decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return series(metrics).get((name, frozenset(labels.items())))


def test_events_are_counted_by_service_status_and_environment(metrics: Metrics) -> None:
    observer: EventObserver = metrics
    observer.event_status("checkout", "success", "production")
    observer.event_status("checkout", "success", "production")
    observer.event_status("checkout", "failure", "production")
    name, labels = "tracker_event_status_total", {"service": "checkout", "environment": "production"}
    assert value(metrics, name, **labels, status="success") == 2
    assert value(metrics, name, **labels, status="failure") == 1


def test_durations_of_events_fall_into_the_buckets_that_dashboards_know(metrics: Metrics) -> None:
    observer: EventObserver = metrics
    observer.event_duration("checkout", "success", "production", 0.3)
    labels = {"service": "checkout", "status": "success", "environment": "production"}
    name = "tracker_event_duration_seconds"
    assert value(metrics, f"{name}_count", **labels) == 1
    assert value(metrics, f"{name}_sum", **labels) == 0.3
    buckets = [
        (dict(key)["le"], count)
        for (sample, key), count in series(metrics).items()
        if sample == f"{name}_bucket"
    ]
    assert sorted(buckets, key=lambda bucket: float(bucket[0])) == [
        *((le, 0) for le in ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25")),
        *((le, 1) for le in ("0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")),
    ]


def test_services_beyond_the_limit_are_counted_as_other(metrics: Metrics) -> None:
    for service in ("a", "b", "c", "d", "a"):
        metrics.event_status(service, "start", "UAT")
        metrics.event_duration(service, "start", "UAT", 1)
    labels = {"status": "start", "environment": "UAT"}
    for name in ("tracker_event_status_total", "tracker_event_duration_seconds_count"):
        counts = {dict(key)["service"]: count for (n, key), count in series(metrics).items() if n == name}
        assert counts == {"a": 2, "b": 1, "other": 2}
        assert value(metrics, name, service="other", **labels) == 2


def test_calls_are_counted_and_timed_by_method_wire_and_code(metrics: Metrics) -> None:
    for wire, code in (("rest", "OK"), ("rest", "OK"), ("grpc", "NOT_FOUND")):
        metrics.call_finished("x.Service/Get", wire, code, 0.002)
    name, method = "tracker_rpc_seconds_count", "x.Service/Get"
    assert value(metrics, name, method=method, wire="rest", code="OK") == 2
    assert value(metrics, name, method=method, wire="grpc", code="NOT_FOUND") == 1


def test_calls_are_counted_by_kind_of_principal_and_whether_they_were_allowed(metrics: Metrics) -> None:
    observer: CallObserver = metrics
    refusals = {
        Reason.AUTHENTICATION_REQUIRED: "unauthenticated",
        Reason.INVALID_CREDENTIALS: "unauthenticated",
        Reason.TOO_MANY_FAILED_ATTEMPTS: "unauthenticated",
        Reason.PERMISSION_REQUIRED: "denied",
    }
    name = "tracker_auth_requests_total"
    for principal in PrincipalKind:
        for reason in (None, Reason.LOCK_HELD, *refusals):
            observer.call_authorized(principal, reason)
        assert value(metrics, name, principal=principal, result="allowed") == 2
        assert value(metrics, name, principal=principal, result="unauthenticated") == 3
        assert value(metrics, name, principal=principal, result="denied") == 1
    for reason in refusals:
        assert value(metrics, "tracker_auth_failures_total", reason=reason) == len(PrincipalKind)


def test_logins_are_counted_by_method_and_result(metrics: Metrics) -> None:
    metrics.auth.login_finished("local", "rate_limited")
    assert value(metrics, "tracker_auth_logins_total", method="local", result="rate_limited") == 1
    assert value(metrics, "tracker_auth_logins_total", method="oidc", result="success") == 0


def test_calls_under_way_are_those_that_started_and_did_not_finish(metrics: Metrics) -> None:
    metrics.calls_under_way(1)
    metrics.calls_under_way(1)
    assert value(metrics, "tracker_inflight") == 2
    metrics.calls_under_way(-1)
    assert value(metrics, "tracker_inflight") == 1


def test_the_work_of_the_store_is_measured(metrics: Metrics) -> None:
    observer: StoreObserver = metrics
    observer.queued(7)
    observer.committed(0.25, 3)
    observer.committed(0.5, 4)
    assert value(metrics, "tracker_store_queue") == 7
    assert value(metrics, "tracker_store_commit_seconds_sum") == 0.75
    assert value(metrics, "tracker_store_commit_changes_count") == 2
    assert value(metrics, "tracker_store_commit_changes_sum") == 7


def test_the_version_and_the_process_are_shown(metrics: Metrics) -> None:
    assert value(metrics, "tracker_build_info", version=__version__, python=platform.python_version()) == 1
    names = {name for name, _ in series(metrics)}
    assert {"process_resident_memory_bytes", "python_gc_collections_total", "python_info"} <= names


def test_each_metric_is_listed_once_and_has_a_help_text(metrics: Metrics) -> None:
    text = metrics.exposition("")[0].decode()
    shown = [line.split(" ", 3)[2:] for line in text.splitlines() if line.startswith("# HELP tracker_")]
    names = [name.removesuffix("_total").removesuffix("_info") for name, _ in shown]
    own = [metric.name for metric in metrics.registry.collect() if metric.name.startswith("tracker_")]
    assert names == own
    assert len(set(names)) == len(names)
    assert all(help_.endswith(".") for _, help_ in shown)


def test_two_servers_in_one_process_do_not_share_metrics(metrics: Metrics) -> None:
    metrics.calls_under_way(1)
    assert value(Metrics(max_services=2), "tracker_inflight") == 0


def test_when_a_series_was_created_is_not_shown(metrics: Metrics) -> None:
    metrics.event_status("checkout", "success", "production")
    assert not [name for name, _ in series(metrics) if name.endswith("_created")]


@pytest.mark.parametrize("escaping", ["", ";escaping=values", "; escaping=dots;q=0.6"])
def test_openmetrics_is_given_to_those_who_ask_for_it(metrics: Metrics, escaping: str) -> None:
    text, media_type = metrics.exposition(f"application/openmetrics-text; version=1.0.0{escaping}")
    assert media_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    assert b"\ntracker_inflight 0" in text
    assert metrics.exposition("")[1].startswith("text/plain; version=")
