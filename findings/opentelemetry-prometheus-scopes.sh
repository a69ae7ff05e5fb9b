#!/usr/bin/env bash
# opentelemetry-exporter-prometheus 0.66b2 (PyPI): where two meters have one metric, values stand under other labels' names.
#
# The exporter answers a scrape with the metrics of all meters, and adds the meter's name to each sample as otel_scope_name.
# Two libraries may well use a metric of one name: that is what semantic conventions are for. The exporter makes one family of
# both, with the label names that the first meter had, and fills in values of the others by their place in alphabetical order.
# So the team of `search` is read as a version and its meter's name as an environment, and the region of `pay` is lost.
# Nothing is refused, and each sample parses: a sum by (env) has an environment `search`. It goes well only where a meter's
# attributes are those of the first, or lack the last of them as `billing` does. Over OTLP each point keeps its attributes.
#
# Output seen (labels without a value left out):
#   shop set env=prod region=eu: read as env=prod otel_scope_name=shop region=eu
#   billing set env=prod: read as env=prod otel_scope_name=billing
#   search set team=a: read as env=search otel_scope_version=a
#   pay set cell=1 env=prod region=us: read as env=1 otel_scope_name=prod otel_scope_schema_url=pay
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    opentelemetry-exporter-prometheus==0.66b2 opentelemetry-sdk==1.45.2 prometheus-client==0.26.0
cat >"$folder/scrape.py" <<'PY'
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

SET = {
    "shop": {"env": "prod", "region": "eu"},
    "billing": {"env": "prod"},
    "search": {"team": "a"},
    "pay": {"cell": "1", "env": "prod", "region": "us"},
}


def show(labels):
    return " ".join(f"{name}={value}" for name, value in sorted(labels.items()) if value)


registry = CollectorRegistry()
provider = MeterProvider(metric_readers=[PrometheusMetricReader(registry=registry)])
for number, (meter, attributes) in enumerate(SET.items(), 1):
    provider.get_meter(meter).create_counter("deployments").add(number, attributes)
read = {
    sample.value: sample.labels
    for family in text_string_to_metric_families(generate_latest(registry).decode())
    for sample in family.samples
    if sample.name == "deployments_total"
}
for number, (meter, attributes) in enumerate(SET.items(), 1):
    print(f"{meter} set {show(attributes)}: read as {show(read[number])}")
PY
"$folder/venv/bin/python" "$folder/scrape.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
shop set env=prod region=eu: read as env=prod otel_scope_name=shop region=eu
billing set env=prod: read as env=prod otel_scope_name=billing
search set team=a: read as env=search otel_scope_version=a
pay set cell=1 env=prod region=us: read as env=1 otel_scope_name=prod otel_scope_schema_url=pay
SEEN
echo "as described"
