#!/usr/bin/env bash
# prometheus-client 0.26.0 (PyPI): in OpenMetrics, two of the escaping schemes separate samples from their type.
#
# A scraper of Prometheus 3 says in its Accept header how names should be escaped (`metric_name_escaping_scheme`: allow-utf-8,
# underscores, dots or values). Names of letters, digits and underscores need no escaping in any but `dots`. In OpenMetrics
# with `values`, the library leaves such a name alone in the lines HELP and TYPE, and escapes it in the samples: `locks_held`
# has a type, and `U__locks__held` has the value and none. With `dots`, the suffix of a counter is escaped too, so that
# `deployments__total` isn't the counter `deployments` any more. The text format of the same release has one name for both,
# and OpenMetrics with `underscores`, which older scrapers get, is right. The library's own parser shows the families apart.
#
# Output seen (families with their samples, as the library reads them):
#   OpenMetrics, underscores: counter deployments: deployments_total; gauge locks_held: locks_held
#   OpenMetrics, dots: counter deployments: none; unknown deployments__total: deployments__total; gauge locks__held: locks__held
#   OpenMetrics, values: counter deployments: none; unknown U__deployments__total: U__deployments__total; gauge locks_held: none;
#     unknown U__locks__held: U__locks__held
#   text, values: counter deployments: deployments_total; gauge locks_held: locks_held
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prometheus-client==0.26.0
cat >"$folder/scrape.py" <<'PY'
from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics, parser
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import parser as openmetrics

disable_created_metrics()
registry = CollectorRegistry()
Counter("deployments", "Deployments.", registry=registry).inc()
Gauge("locks_held", "Locks.", registry=registry).set(2)
OPENMETRICS, TEXT = "application/openmetrics-text", "text/plain"
for kind, scheme in [(OPENMETRICS, "underscores"), (OPENMETRICS, "dots"), (OPENMETRICS, "values"), (TEXT, "values")]:
    encoder, _ = choose_encoder(f"{kind};version=1.0.0;escaping={scheme}")
    read = openmetrics if kind == OPENMETRICS else parser
    families = [
        f"{family.type} {family.name}: {', '.join(sample.name for sample in family.samples) or 'none'}"
        for family in read.text_string_to_metric_families(encoder(registry).decode())
    ]
    print(f"{'OpenMetrics' if kind == OPENMETRICS else 'text'}, {scheme}: {'; '.join(families)}")
PY
"$folder/venv/bin/python" "$folder/scrape.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
OpenMetrics, underscores: counter deployments: deployments_total; gauge locks_held: locks_held
OpenMetrics, dots: counter deployments: none; unknown deployments__total: deployments__total; gauge locks__held: locks__held
OpenMetrics, values: counter deployments: none; unknown U__deployments__total: U__deployments__total; gauge locks_held: none; unknown U__locks__held: U__locks__held
text, values: counter deployments: deployments_total; gauge locks_held: locks_held
SEEN
echo "as described"
