#!/usr/bin/env bash
# hdrhistogram 0.10.8 (PyPI) and hdr-histogram-js 3.0.1 (npm): one encoded histogram has two 90th percentiles.
#
# The Python library writes a histogram in the compressed V2 format, which the JavaScript one reads without loss: counts,
# means and extremes agree. A percentile's rank is 0.9 * 9 = 8.1 of nine values. The JavaScript library takes the next rank
# above it, the ninth, so that at least 90 % of the values are at or below the answer; the Python one adds a half and cuts,
# and answers the eighth, below which are 89 %. Where values are few and the slow ones far away, as among deployments of a
# week, a dashboard and a report of the same histogram differ by the whole distance: 100 ms against 5 s here.
#
# Output seen:
#   Python: 9 values, mean 567368.8, p50 2047, p90 100031, p95 5001215
#   JavaScript: 9 values, mean 567368.8, p50 2047, p90 5001215, p95 5001215
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check hdrhistogram==0.10.8
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save hdr-histogram-js@3.0.1)
cat >"$folder/write.py" <<'PY'
import sys

from hdrh.histogram import HdrHistogram

written = HdrHistogram(1, 3_600_000_000, 3)
for microseconds in (1, 2, 3, 1000, 2047, 2048, 2049, 100_000, 5_000_000):
    written.record_value(microseconds)
encoded = written.encode()
read = HdrHistogram.decode(encoded)
percentiles = ", ".join(f"p{p} {read.get_value_at_percentile(p)}" for p in (50, 90, 95))
print(f"Python: {read.get_total_count()} values, mean {read.get_mean_value():.1f}, {percentiles}", file=sys.stderr)
print(encoded.decode())
PY
cat >"$folder/read.js" <<'JS'
const { decodeFromCompressedBase64 } = require("hdr-histogram-js");
const read = decodeFromCompressedBase64(process.argv[2]);
const percentiles = [50, 90, 95].map((p) => `p${p} ${read.getValueAtPercentile(p)}`).join(", ");
console.log(`JavaScript: ${read.totalCount} values, mean ${read.mean.toFixed(1)}, ${percentiles}`);
JS
encoded=$("$folder/venv/bin/python" "$folder/write.py" 2>"$folder/seen")
(cd "$folder" && node read.js "$encoded") >>"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
Python: 9 values, mean 567368.8, p50 2047, p90 100031, p95 5001215
JavaScript: 9 values, mean 567368.8, p50 2047, p90 5001215, p95 5001215
SEEN
echo "as described"
