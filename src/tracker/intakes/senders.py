"""The table of intakes: the products whose clients send here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from tracker.intakes.alertmanager import Alertmanager
from tracker.intakes.argocd import argocd
from tracker.intakes.cloudevents import CloudEvents
from tracker.intakes.datadog import DatadogEvents
from tracker.intakes.datadog_dora import DatadogDora
from tracker.intakes.datadog_v2 import DatadogEventsV2
from tracker.intakes.flux import flux
from tracker.intakes.generic import PATH, Generic
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

_TYPESCRIPT: Final = (
    "TypeScript: client.createConfiguration("
    '{baseServer: new client.BaseServerConfiguration("SERVER", {}), …})'
)


class Intake(Protocol):
    """Takes what the clients of a product send."""

    def routes(self) -> Sequence[HttpRoute]:
        """Return the routes of the intake."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A product whose clients send here, where they have their API key, and the intake for them.

    `name` is what the operator's rules call it. `lines` are what changes at the product, where `SERVER`
    stands for the address of the server, and `WEBHOOK` for that of the product's webhook. There is no intake
    for what does not come over HTTP.
    """

    name: str
    product: str
    clients: str
    key: str
    lines: tuple[str, ...]
    intake: Callable[[Recorder], Intake] | None

    def lines_for(self, server: str) -> str:
        """Return what changes at the product, given the address of the server."""
        webhook = f"SERVER{PATH.format(sender=self.name)}"
        return re.sub(r"\bWEBHOOK\b", webhook, "\n".join(self.lines)).replace("SERVER", server)


SENDERS: Final = (
    Sender(
        "datadog",
        "Datadog Events v1",
        "`datadog` (API, `dogshell`, `dogwrap`), `datadog-api-client` (Python, TypeScript), "
        "Ansible's `datadog_event`, Flux `datadog`",
        "`DD-API-KEY`, `?api_key=`",
        (
            'datadog.initialize(api_key="trk_…", api_host="SERVER")',
            'dogshell --api_host SERVER --api-key trk_… --application-key x event post "Deployed" "cart 1.2"',
            'dogwrap -s SERVER -k trk_… -n nightly -m all "make backup"',
            'datadog_api_client.Configuration(host="SERVER", api_key={"apiKeyAuth": "trk_…"})',
            _TYPESCRIPT,
            'Ansible:    datadog_event: {api_host: "SERVER", api_key: trk_…, app_key: x, title: …, text: …}',
            "Flux:       type: datadog, address: SERVER",
        ),
        DatadogEvents,
    ),
    Sender(
        "datadog-v2",
        "Datadog Events v2",
        "`datadog-api-client` (Python, TypeScript)",
        "`DD-API-KEY`, `?api_key=`",
        (
            'datadog_api_client.Configuration(host="SERVER", api_key={"apiKeyAuth": "trk_…"})',
            _TYPESCRIPT,
        ),
        DatadogEventsV2,
    ),
    Sender(
        "datadog-dora",
        "Datadog DORA metrics",
        "`datadog-api-client` (Python, TypeScript), `datadog-ci`",
        "`DD-API-KEY`, `?api_key=`",
        (
            'datadog_api_client.Configuration(host="SERVER", api_key={"apiKeyAuth": "trk_…"})',
            "DD_SITE=tracker.example.com DD_API_KEY=trk_… datadog-ci dora deployment --service cart …",
        ),
        DatadogDora,
    ),
    Sender(
        "dogstatsd",
        "DogStatsD",
        "any client, such as `datadog` and `hot-shots`, also a shell",
        "none: as callers without credentials",
        (
            "DD_AGENT_HOST=127.0.0.1 DD_ENV=prod DD_SERVICE=cart DD_VERSION=1.2 ./cart",
            'echo "_e{${#title},${#text}}:$title|$text|t:success|#env:prod" > /dev/udp/127.0.0.1/8125',
        ),
        None,
    ),
    Sender(
        "cloudevents",
        "CloudEvents and CDEvents",
        "`cloudevents` (Python, JavaScript), CDEvents 0.3 to 0.5",
        "`Authorization: Bearer`, `?access_token=`",
        (
            "curl SERVER/cloudevents -H 'Authorization: Bearer trk_…' \\",
            "  -H 'Content-Type: application/cloudevents+json' -d @event.json",
        ),
        CloudEvents,
    ),
    Sender(
        "grafana",
        "Grafana annotations",
        "`grafana-client`, Argo CD and Flux `grafana`",
        "`Authorization: Bearer`, password of `Authorization: Basic`",
        (
            'GrafanaApi.from_url("SERVER", credential=TokenAuth("trk_…")).annotations',
            'Argo CD:  service.grafana: | {apiUrl: "SERVER/api", apiKey: trk_…}',
            "Flux:     type: grafana, address: SERVER/api/annotations",
        ),
        GrafanaAnnotations,
    ),
    Sender(
        "pagerduty-events",
        "PagerDuty Events v2",
        "`pagerduty` (Python), `pdjs` (JavaScript), Ansible's `pagerduty_change`",
        "`routing_key` in the body",
        (
            'EventsApiV2Client("trk_…", base_url="SERVER")',
            'pdjs:     trigger({server: "tracker.example.com", data: {routing_key: "trk_…", …}})',
            'Ansible:  pagerduty_change: {url: "SERVER/v2/change/enqueue", integration_key: trk_…, …}',
        ),
        PagerDutyEvents,
    ),
    Sender(
        "newrelic",
        "New Relic events and deployments",
        "`newrelic-telemetry-sdk` (Python), `@newrelic/telemetry-sdk` (Node), Argo CD `newrelic`",
        "`Api-Key`, `X-Insert-Key`, `X-License-Key`, `X-Api-Key`",
        (
            'EventClient("trk_…", host="tracker.example.com", port=443)',
            'Node:     new EventClient({apiKey: "trk_…", host: "tracker.example.com", port: 443})',
            'Argo CD:  service.newrelic: | {apiURL: "SERVER", apiKey: trk_…}',
            "Markers:  NEW_RELIC_HOST=tracker.example.com NEW_RELIC_API_KEY=trk_… newrelic-admin …",
        ),
        NewRelicEvents,
    ),
    Sender(
        "alertmanager",
        "Alertmanager",
        "Alertmanager's `webhook_configs`",
        "`Authorization: Bearer`, password of `Authorization: Basic`",
        (
            "receivers:",
            "  - name: tracker",
            "    webhook_configs:",
            "      - url: WEBHOOK",
            "        http_config: {authorization: {credentials: trk_…}}",
        ),
        Alertmanager,
    ),
    Sender(
        "github",
        "GitHub",
        "GitHub's webhooks",
        "`X-Hub-Signature-256`, and `?access_token=`",
        (
            "Payload URL: WEBHOOK?access_token=trk_…",
            "Secret:      the server's GITHUB_WEBHOOK_SECRET",
        ),
        github,
    ),
    Sender(
        "gitlab",
        "GitLab",
        "GitLab's webhooks",
        "`X-Gitlab-Token` or `webhook-signature`, and `?access_token=`",
        (
            "URL:          WEBHOOK?access_token=trk_…",
            "Secret token: the server's INTEGRATION_GITLAB_SECRET_TOKEN",
        ),
        gitlab,
    ),
    Sender(
        "pagerduty",
        "PagerDuty webhooks",
        "PagerDuty's webhooks v3",
        "`X-PagerDuty-Signature`, and `?access_token=`",
        (
            "Webhook URL: WEBHOOK?access_token=trk_…",
            "Secret:      that which it shows becomes the server's INTEGRATION_PAGERDUTY_SECRET",
        ),
        pagerduty,
    ),
    Sender(
        "terraform",
        "HCP Terraform",
        "notifications of HCP Terraform and Terraform Enterprise",
        "`X-TFE-Notification-Signature`, and `?access_token=`",
        (
            "Webhook URL: WEBHOOK?access_token=trk_…",
            "Token:       the server's INTEGRATION_TERRAFORM_TOKEN",
        ),
        terraform,
    ),
    Sender(
        "argocd",
        "Argo CD",
        "Argo CD's notifications, with the template in `deploy/argocd`",
        "`Authorization: Bearer`, `?access_token=`",
        (
            "kubectl -n argocd patch configmap argocd-notifications-cm \\",
            "  --patch-file deploy/argocd/notifications.yaml",
        ),
        argocd,
    ),
    Sender(
        "flux",
        "Flux",
        "Flux `generic` and `generic-hmac`",
        "`X-Signature`, and `Authorization: Bearer`, `?access_token=`",
        (
            "apiVersion: notification.toolkit.fluxcd.io/v1beta3",
            "kind: Provider",
            "metadata: {name: tracker}",
            "spec:",
            "  type: generic-hmac",
            "  address: WEBHOOK?access_token=trk_…",
            "  secretRef: {name: tracker-hmac}",
        ),
        flux,
    ),
    Sender(
        "kubernetes",
        "Kubernetes events",
        "`kubectl get events -o json`",
        "`Authorization: Bearer`, `?access_token=`",
        ("kubectl get events -A -o json --watch | tracker intake send kubernetes",),
        kubernetes,
    ),
    Sender(
        "jenkins",
        "Jenkins",
        "Jenkins's Notification plugin",
        "`Authorization: Bearer`, `?access_token=`",
        ("URL: WEBHOOK?access_token=trk_…",),
        jenkins,
    ),
    Sender(
        "NAME",
        "Generic JSON",
        "what posts JSON, by a table of the mapping",
        "`Authorization: Bearer`, `?access_token=`",
        ("curl WEBHOOK -H 'Authorization: Bearer trk_…' -d '{\"app\": \"cart\", …}'",),
        Generic,
    ),
)
