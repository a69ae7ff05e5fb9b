"""The Helm chart and what is made of it: `python -m tools.chart [--check]`, or `make chart`.

Renders the chart with its defaults, with MongoDB, and with everything in it, checks the outcome against the
schemas of Kubernetes, and writes manifests for those who have no Helm: `deploy/kubernetes.yaml` and
`deploy/kubernetes-mongodb.yaml`. With `--check` it writes nothing, and fails if these are out of date.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import helm_python as helm
import kubernetes_validate as kubernetes
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHART = Path("deploy", "helm", "tracker")
LITESTREAM = Path("deploy", "litestream", "values.yaml")
OLDEST = "v1.29.0"
"""The oldest Kubernetes that the chart is for; its schemas are checked beside the newest."""
PLAIN = {"kubernetes.yaml": {}, "kubernetes-mongodb.yaml": {"mongodb": {"enabled": True}}}
"""Manifests for `kubectl apply` by their values."""
ALL: Mapping[str, Any] = {
    "imagePullSecrets": [{"name": "registry"}],
    "persistence": {"storageClass": "fast"},
    "settingsSecret": "tracker-settings",
    "allowedHosts": ["tracker.internal"],
    "tls": {"existingSecret": "tracker-tls"},
    "service": {"annotations": {"a": "b"}},
    "ingress": {"enabled": True, "className": "nginx", "annotations": {"a": "b"}, "tlsSecret": "ingress-tls"},
    "gateway": {"enabled": True, "parentRefs": [{"name": "public", "namespace": "gateways"}]},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "networkPolicy": {
        "enabled": True,
        "metrics": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    },
    "extraVolumes": [{"name": "files", "configMap": {"name": "tracker-files"}}],
    "extraVolumeMounts": [{"name": "files", "mountPath": "/files", "readOnly": True}],
    "initContainers": [{"name": "restore", "image": "litestream/litestream"}],
    "extraContainers": [{"name": "replicate", "image": "litestream/litestream"}],
    "podAnnotations": {"a": "b"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}
REFUSED: Mapping[str, Mapping[str, Any]] = {
    "a name that is none": {"replicas": 2},
    "a setting that the chart makes": {"settings": {"MONGO_URI": "mongodb://host/db"}},
    "routes without a gateway": {"gateway": {"enabled": True}},
    "a duration that is no number": {"settings": {"SHUTDOWN_GRACE": "2m"}},
}
TLS: Mapping[str, Any] = {"tls": {"existingSecret": "tracker-tls"}}
GIVES: tuple[tuple[Mapping[str, Any], str], ...] = (
    ({"settings": {"CHANGES_KEPT": 20_000_000.0}}, 'value: "20000000"'),
    ({"settings": {"WHY_THRESHOLD": 0.25}}, 'value: "0.25"'),
    ({"settings": {"SHUTDOWN_GRACE": 60}}, "terminationGracePeriodSeconds: 100"),
    (
        {**TLS, "mongodb": {"enabled": True}},
        "fsGroup: 10001",
    ),  # else its key can't be read
    ({**TLS, "serviceMonitor": {"enabled": True}}, "scheme: https"),
    ({**TLS, "settings": {"TLS_CLIENT_CA": "/files/ca.pem"}}, "path: /readyz\n              port: metrics"),
)
"""Parts of what values give, that schemas of Kubernetes can't tell."""
_OF_OTHERS = {"ServiceMonitor", "HTTPRoute", "GRPCRoute"}
"""Kinds that are no part of Kubernetes, and have no schema here."""


def rendered(values: Mapping[str, Any]) -> Iterator[str]:
    """Give the documents that the chart makes of values, in the order of their files."""
    with helm.Chart.load(str(CHART)) as chart:
        chart.validate_schema(chart.merge_values(dict(values)))
        files = chart.render(dict(values), name="tracker", namespace="default")
    for name, text in sorted(files.items()):
        if not name.endswith(".txt"):
            yield from (each.strip() for each in re.split("^---$", text, flags=re.MULTILINE) if each.strip())


def check(values: Mapping[str, Any]) -> int:
    """Validate what the chart makes of values; return how many documents there are."""
    report = helm.lint(str(CHART), dict(values), strict=True, kube_version=OLDEST)
    if report["errors"]:
        raise SystemExit("\n".join(report["errors"]))
    documents = [yaml.safe_load(each) for each in rendered(values)]
    for document in documents:
        if document["kind"] not in _OF_OTHERS:
            for version in (OLDEST.removeprefix("v").rpartition(".")[0], kubernetes.latest_version()):
                kubernetes.validate(document, version, strict=True)
    return len(documents)


def plain(values: Mapping[str, Any]) -> str:
    """Return manifests for those who have no Helm, without what only Helm reads."""
    documents = (
        re.sub(r"^ *(helm\.sh/chart|app\.kubernetes\.io/managed-by): .*\n", "", each, flags=re.MULTILINE)
        for each in rendered(values)
    )
    return (
        "# Made of deploy/helm/tracker by `make chart`; not edited by hand.\n---\n"
        + "\n---\n".join(documents)
        + "\n"
    )


def main() -> None:
    """Check the chart, and write or compare the plain manifests."""
    litestream = yaml.safe_load(LITESTREAM.read_text())
    for values in (*PLAIN.values(), ALL, {**ALL, "mongodb": {"enabled": True}}, litestream):
        print(f"{CHART}: {check(values)} documents are valid")
    for what, values in REFUSED.items():
        try:
            list(rendered(values))
        except helm.HelmError:
            continue
        raise SystemExit(f"{CHART} takes {what}")
    for values, part in GIVES:
        if part not in "\n".join(rendered(values)):
            raise SystemExit(f"{CHART} does not give {part!r} for {values}")
    for name, values in PLAIN.items():
        file = CHART.parents[1] / name
        text = plain(values)
        if "--check" not in sys.argv:
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            raise SystemExit(f"{file} is not what {CHART} gives: run `make chart`")


if __name__ == "__main__":
    main()
