#!/usr/bin/env bash
# openfeature-flagd-core 2.0.0 (PyPI) and @openfeature/flagd-core 4.0.1 (npm): a rollout to 10 % reaches other 10 % in Node.
#
# flagd's rule `fractional` divides users by a hash of the flag's key and the user's, so that services that evaluate a flag
# themselves agree on each user. The newest releases of both registries hash different bytes: that for Node both keys as one
# text, as Python's release 1.0.0 still did; Python's 2.0.0 a CBOR array of both. Each divides well, so that dashboards show
# the same share, and nothing is logged. But who is in the rollout for a page is hardly ever so for the API behind it, and
# the update of the Python package alone exchanges the users of a rollout that is under way.
#
# Output seen (of 1000 users):
#   10 %: Node 96, Python 1.0.0 96, Python 2.0.0 110; in Node's and 1.0.0's: 96, in Node's and 2.0.0's: 7
#   50 %: Node 499, Python 1.0.0 499, Python 2.0.0 515; in Node's and 1.0.0's: 499, in Node's and 2.0.0's: 258
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 1.0.0 2.0.0; do
  python3 -m venv "$folder/$version"
  "$folder/$version/bin/pip" install --quiet --disable-pip-version-check "openfeature-flagd-core==$version"
done
cd "$folder"
npm install --silent --no-audit --no-fund --no-save @openfeature/flagd-core@4.0.1 @openfeature/core@1.11.0
cat >flags.json <<'JSON'
{"flags": {
  "checkout-10": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
    "targeting": {"fractional": [["on", 10], ["off", 90]]}},
  "checkout-50": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
    "targeting": {"fractional": [["on", 50], ["off", 50]]}}
}}
JSON
cat >evaluate.py <<'PY'
import sys

from openfeature.contrib.tools.flagd.core.flagd_core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

core = FlagdCore()
with open("flags.json") as flags:
    core.set_flags(flags.read())
for number in range(1000):
    if core.resolve_boolean_value(sys.argv[1], False, EvaluationContext(f"user-{number}")).value:
        print(f"user-{number}")
PY
cat >evaluate.js <<'JS'
const { FlagdCore } = require("@openfeature/flagd-core");
const logger = { error() {}, warn() {}, info() {}, debug() {} };
const core = new FlagdCore(undefined, logger);
core.setConfigurations(require("fs").readFileSync("flags.json", "utf8"));
for (let number = 0; number < 1000; number++) {
  const context = { targetingKey: `user-${number}` };
  if (core.resolveBooleanEvaluation(process.argv[2], false, context, logger).value) console.log(context.targetingKey);
}
JS
both() { comm -12 <(sort "$1") <(sort "$2") | wc -l; }
for share in 10 50; do
  node evaluate.js "checkout-$share" >javascript
  for version in 1.0.0 2.0.0; do "$version/bin/python" evaluate.py "checkout-$share" >"python-$version"; done
  reached="Node $(wc -l <javascript), Python 1.0.0 $(wc -l <python-1.0.0), Python 2.0.0 $(wc -l <python-2.0.0)"
  echo "$share %: $reached; in Node's and 1.0.0's: $(both javascript python-1.0.0), in Node's and 2.0.0's: $(both javascript python-2.0.0)"
done >seen
cat seen
diff - seen <<'SEEN'
10 %: Node 96, Python 1.0.0 96, Python 2.0.0 110; in Node's and 1.0.0's: 96, in Node's and 2.0.0's: 7
50 %: Node 499, Python 1.0.0 499, Python 2.0.0 515; in Node's and 1.0.0's: 499, in Node's and 2.0.0's: 258
SEEN
echo "as described"
