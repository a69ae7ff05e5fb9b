"""The table of intakes: the products whose clients send here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tracker.intakes.alertmanager import Alertmanager
from tracker.intakes.argocd import argocd
from tracker.intakes.cloudevents import CloudEvents
from tracker.intakes.datadog import DatadogEvents
from tracker.intakes.datadog_dora import DatadogDora
from tracker.intakes.datadog_v2 import DatadogEventsV2
from tracker.intakes.flux import flux
from tracker.intakes.generic import Generic
from tracker.intakes.github import github
from tracker.intakes.gitlab import gitlab
from tracker.intakes.grafana import GrafanaAnnotations
from tracker.intakes.jenkins import jenkins
from tracker.intakes.kubernetes import kubernetes
from tracker.intakes.newrelic import NewRelicEvents
from tracker.intakes.pagerduty import PagerDutyEvents
from tracker.intakes.pagerduty_webhooks import pagerduty
from tracker.intakes.terraform import terraform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.api.routes import HttpRoute
    from tracker.intakes.recorder import Recorder


class Intake(Protocol):
    """Takes what the clients of a product send."""

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A product whose clients send here, where they have their API key, and the intake for them.

    `name` is what the operator's rules call it. There is no intake for what does not come over HTTP.
    """

    name: str
    product: str
    clients: str
    key: str
    intake: Callable[[Recorder], Intake] | None


SENDERS: Final = (
    Sender(
        "datadog",
        "Datadog Events v1",
        "`datadog` (API, `dogshell`, `dogwrap`), `datadog-api-client` (Python, TypeScript), "
        "Ansible's `datadog_event`, Flux `datadog`",
        "`DD-API-KEY`, `?api_key=`",
        DatadogEvents,
    ),
    Sender(
        "datadog-v2",
        "Datadog Events v2",
        "`datadog-api-client` (Python, TypeScript)",
        "`DD-API-KEY`, `?api_key=`",
        DatadogEventsV2,
    ),
    Sender(
        "datadog-dora",
        "Datadog DORA metrics",
        "`datadog-api-client` (Python, TypeScript), `datadog-ci`",
        "`DD-API-KEY`, `?api_key=`",
        DatadogDora,
    ),
    Sender(
        "dogstatsd",
        "DogStatsD",
        "any client, such as `datadog` and `hot-shots`, also a shell",
        "none: as callers without credentials",
        None,
    ),
    Sender(
        "cloudevents",
        "CloudEvents and CDEvents",
        "`cloudevents` (Python, JavaScript), CDEvents 0.3 to 0.5",
        "`Authorization: Bearer`, `?access_token=`",
        CloudEvents,
    ),
    Sender(
        "grafana",
        "Grafana annotations",
        "`grafana-client`, Argo CD and Flux `grafana`",
        "`Authorization: Bearer`, password of `Authorization: Basic`",
        GrafanaAnnotations,
    ),
    Sender(
        "pagerduty-events",
        "PagerDuty Events v2",
        "`pagerduty` (Python), `pdjs` (JavaScript), Ansible's `pagerduty_change`",
        "`routing_key` in the body",
        PagerDutyEvents,
    ),
    Sender(
        "newrelic",
        "New Relic events and deployments",
        "`newrelic-telemetry-sdk` (Python), `@newrelic/telemetry-sdk` (Node), Argo CD `newrelic`",
        "`Api-Key`, `X-Insert-Key`, `X-License-Key`, `X-Api-Key`",
        NewRelicEvents,
    ),
    Sender(
        "alertmanager",
        "Alertmanager",
        "Alertmanager's `webhook_configs`",
        "`Authorization: Bearer`, password of `Authorization: Basic`",
        Alertmanager,
    ),
    Sender("github", "GitHub", "GitHub's webhooks", "`X-Hub-Signature-256`, and `?access_token=`", github),
    Sender(
        "gitlab",
        "GitLab",
        "GitLab's webhooks",
        "`X-Gitlab-Token` or `webhook-signature`, and `?access_token=`",
        gitlab,
    ),
    Sender(
        "pagerduty",
        "PagerDuty webhooks",
        "PagerDuty's webhooks v3",
        "`X-PagerDuty-Signature`, and `?access_token=`",
        pagerduty,
    ),
    Sender(
        "terraform",
        "HCP Terraform",
        "notifications of HCP Terraform and Terraform Enterprise",
        "`X-TFE-Notification-Signature`, and `?access_token=`",
        terraform,
    ),
    Sender(
        "argocd",
        "Argo CD",
        "Argo CD's notifications, with the template in `deploy/argocd`",
        "`Authorization: Bearer`, `?access_token=`",
        argocd,
    ),
    Sender(
        "flux",
        "Flux",
        "Flux `generic` and `generic-hmac`",
        "`X-Signature`, and `Authorization: Bearer`, `?access_token=`",
        flux,
    ),
    Sender(
        "kubernetes",
        "Kubernetes events",
        "`kubectl get events -o json`",
        "`Authorization: Bearer`, `?access_token=`",
        kubernetes,
    ),
    Sender(
        "jenkins",
        "Jenkins",
        "Jenkins's Notification plugin",
        "`Authorization: Bearer`, `?access_token=`",
        jenkins,
    ),
    Sender(
        "NAME",
        "Generic JSON",
        "what posts JSON, by a table of the mapping",
        "`Authorization: Bearer`, `?access_token=`",
        Generic,
    ),
)
