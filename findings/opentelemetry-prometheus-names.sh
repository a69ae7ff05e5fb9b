#!/usr/bin/env bash
# opentelemetry-exporter-prometheus 0.66b2 (PyPI), @opentelemetry/exporter-prometheus 0.223.0 (npm): one instrument, two metrics.
#
# Services in Python and JavaScript have the same meter, with the same names and units. Prometheus reads different metrics from
# them: the Python exporter appends the unit to the name, as OpenTelemetry's specification has it, and the one for JavaScript
# does not, nor has it an option for that. A rule about `deploy_duration_seconds_bucket` finds nothing of the JavaScript
# service, and an alert of an expression without series does not fire. An instrument in a unit in braces has one name in
# both, and so has one that carries its unit in the name, since Python does not append it twice.
#
# Output seen (metrics of Python and JavaScript):
#   deploy.duration in s: deploy_duration_seconds, deploy_duration
#   artifact.size in By: artifact_size_bytes, artifact_size
#   build.time in ms: build_time_milliseconds_total, build_time_total
#   deploys in {deploy}: deploys_total, deploys_total
#   restore.seconds in s: restore_seconds, restore_seconds
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  opentelemetry-exporter-prometheus==0.66b2 opentelemetry-sdk==1.45.2
cd "$folder"
npm install --silent --no-audit --no-fund --no-save @opentelemetry/exporter-prometheus@0.223.0 \
  @opentelemetry/sdk-metrics@2.12.1 @opentelemetry/api@1.9.1
cat >scrape.py <<'PY'
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import generate_latest

meter = MeterProvider([PrometheusMetricReader()]).get_meter("shop")
meter.create_histogram("deploy.duration", unit="s").record(1)
meter.create_gauge("artifact.size", unit="By").set(1)
meter.create_counter("build.time", unit="ms").add(1)
meter.create_counter("deploys", unit="{deploy}").add(1)
meter.create_histogram("restore.seconds", unit="s").record(1)
print(generate_latest().decode())
PY
cat >scrape.js <<'JS'
const { PrometheusExporter, PrometheusSerializer } = require("@opentelemetry/exporter-prometheus");
const { MeterProvider } = require("@opentelemetry/sdk-metrics");
const reader = new PrometheusExporter({ preventServerStart: true });
const meter = new MeterProvider({ readers: [reader] }).getMeter("shop");
meter.createHistogram("deploy.duration", { unit: "s" }).record(1);
meter.createGauge("artifact.size", { unit: "By" }).record(1);
meter.createCounter("build.time", { unit: "ms" }).add(1);
meter.createCounter("deploys", { unit: "{deploy}" }).add(1);
meter.createHistogram("restore.seconds", { unit: "s" }).record(1);
reader.collect().then((read) => console.log(new PrometheusSerializer().serialize(read.resourceMetrics)));
JS
venv/bin/python scrape.py >python
node scrape.js >javascript
metric() { sed -nE "s/^# TYPE ($2[a-z_]*) .*/\1/p" "$1"; }
while read -r instrument unit; do
  echo "$instrument in $unit: $(metric python "${instrument/./_}"), $(metric javascript "${instrument/./_}")"
done >seen <<'INSTRUMENTS'
deploy.duration s
artifact.size By
build.time ms
deploys {deploy}
restore.seconds s
INSTRUMENTS
cat seen
diff - seen <<'SEEN'
deploy.duration in s: deploy_duration_seconds, deploy_duration
artifact.size in By: artifact_size_bytes, artifact_size
build.time in ms: build_time_milliseconds_total, build_time_total
deploys in {deploy}: deploys_total, deploys_total
restore.seconds in s: restore_seconds, restore_seconds
SEEN
echo "as described"
