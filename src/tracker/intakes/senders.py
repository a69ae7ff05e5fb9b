"""The table of intakes: the products whose clients send here, and the routes that take what they send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tracker.intakes.alertmanager import Alertmanager
from tracker.intakes.cloudevents import CloudEvents
from tracker.intakes.datadog import DatadogEvents
from tracker.intakes.datadog_dora import DatadogDora
from tracker.intakes.datadog_v2 import DatadogEventsV2
from tracker.intakes.github import github
from tracker.intakes.gitlab import gitlab
from tracker.intakes.grafana import GrafanaAnnotations
from tracker.intakes.newrelic import NewRelicEvents
from tracker.intakes.pagerduty import PagerDutyEvents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tracker.api.routes import HttpRoute
    from tracker.intakes.recorder import Recorder


class Intake(Protocol):
    """Takes what the clients of a product send."""

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A product whose clients send here, where they have their API key, and the intake for them.

    There is none for what does not come over HTTP.
    """

    product: str
    clients: str
    key: str
    intake: Callable[[Recorder], Intake] | None


SENDERS: Final = (
    Sender(
        "Datadog Events v1",
        "`datadog` (API, `dogshell`, `dogwrap`), `datadog-api-client`, Ansible's `datadog_event`, Flux `datadog`",
        "`DD-API-KEY`, `?api_key=`",
        DatadogEvents,
    ),
    Sender("Datadog Events v2", "`datadog-api-client`", "`DD-API-KEY`, `?api_key=`", DatadogEventsV2),
    Sender(
        "Datadog DORA metrics", "`datadog-api-client`, `datadog-ci`", "`DD-API-KEY`, `?api_key=`", DatadogDora
    ),
    Sender("DogStatsD", "any client, also a shell", "none: as callers without credentials", None),
    Sender(
        "CloudEvents and CDEvents",
        "`cloudevents`, CDEvents 0.3 to 0.5",
        "`Authorization: Bearer`, `?access_token=`",
        CloudEvents,
    ),
    Sender(
        "Grafana annotations",
        "`grafana-client`, Argo CD and Flux `grafana`",
        "`Authorization: Bearer`, password of `Authorization: Basic`",
        GrafanaAnnotations,
    ),
    Sender(
        "PagerDuty Events v2",
        "`pagerduty`, Ansible's `pagerduty_change`",
        "`routing_key` in the body",
        PagerDutyEvents,
    ),
    Sender(
        "New Relic events and deployments",
        "`newrelic-telemetry-sdk`, Argo CD `newrelic`",
        "`Api-Key`, `X-Insert-Key`, `X-License-Key`, `X-Api-Key`",
        NewRelicEvents,
    ),
    Sender(
        "Alertmanager",
        "Alertmanager's `webhook_configs`",
        "`Authorization: Bearer`, password of `Authorization: Basic`",
        Alertmanager,
    ),
    Sender("GitHub", "GitHub's webhooks", "`X-Hub-Signature-256`, and `?access_token=`", github),
    Sender("GitLab", "GitLab's webhooks", "`X-Gitlab-Token`, and `?access_token=`", gitlab),
)


def routes(recorder: Recorder) -> Iterator[HttpRoute]:
    """Yield the routes of all intakes."""
    for sender in SENDERS:
        if sender.intake is not None:
            yield from sender.intake(recorder).routes()
