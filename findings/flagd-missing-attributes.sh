#!/usr/bin/env bash
# openfeature-flagd-core 2.0.0 (PyPI) and @openfeature/flagd-core 4.0.1 (npm): what a flag does for users without an attribute.
#
# Contexts often lack an attribute: a job has no user, an old client sends no plan. A rule of flagd is JsonLogic, where such an
# attribute is null, and each of the two evaluators finds rules that are true of it where the other doesn't. In Python,
# an attribute that is compared with a text becomes the text `None`, which lies above every digit: users without a date have
# signed up since October, and clients without a version are newer than any. In Node, `all` is true of a list that is
# missing (although JsonLogic has it false of an empty one, as Node does for that): users without groups are all testers.
# Neither logs anything. Begin such a rule with `and` and the attribute itself: then both agree.
#
# Output seen (a user without attributes):
#   signed up since October (>= "2026-10-01"): Python True, Node false
#   client above "10": Python True, Node false
#   all groups are beta: Python False, Node true
#   signed up, and since October: Python False, Node false
#   groups, and all are beta: Python False, Node false
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openfeature-flagd-core==2.0.0
cd "$folder"
npm install --silent --no-audit --no-fund --no-save @openfeature/flagd-core@4.0.1 @openfeature/core@1.11.0
cat >rules.json <<'JSON'
{
  "signed up since October (>= \"2026-10-01\")": {">=": [{"var": "signedUp"}, "2026-10-01"]},
  "client above \"10\"": {">": [{"var": "client"}, "10"]},
  "all groups are beta": {"all": [{"var": "groups"}, {"==": [{"var": ""}, "beta"]}]},
  "signed up, and since October": {"and": [{"var": "signedUp"}, {">=": [{"var": "signedUp"}, "2026-10-01"]}]},
  "groups, and all are beta": {"and": [{"var": "groups"}, {"all": [{"var": "groups"}, {"==": [{"var": ""}, "beta"]}]}]}
}
JSON
venv/bin/python - <<'PY'
import json

with open("rules.json") as rules:
    flags = {
        name: {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "targeting": {"if": [rule, "on", "off"]},
        }
        for name, rule in json.load(rules).items()
    }
with open("flags.json", "w") as written:
    json.dump({"flags": flags}, written)
PY
cat >evaluate.py <<'PY'
import json

from openfeature.contrib.tools.flagd.core.flagd_core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

core = FlagdCore()
with open("flags.json") as file:
    flags = file.read()
core.set_flags(flags)
for name in json.loads(flags)["flags"]:
    print(f"{name}: Python {core.resolve_boolean_value(name, False, EvaluationContext('user')).value}")
PY
cat >evaluate.js <<'JS'
const { FlagdCore } = require("@openfeature/flagd-core");
const logger = { error() {}, warn() {}, info() {}, debug() {} };
const core = new FlagdCore(undefined, logger);
const flags = require("fs").readFileSync("flags.json", "utf8");
core.setConfigurations(flags);
for (const name of Object.keys(JSON.parse(flags).flags))
  console.log(`Node ${core.resolveBooleanEvaluation(name, false, { targetingKey: "user" }, logger).value}`);
JS
paste -d , <(venv/bin/python evaluate.py) <(node evaluate.js) | sed 's/,Node/, Node/' >seen
cat seen
diff - seen <<'SEEN'
signed up since October (>= "2026-10-01"): Python True, Node false
client above "10": Python True, Node false
all groups are beta: Python False, Node true
signed up, and since October: Python False, Node false
groups, and all are beta: Python False, Node false
SEEN
echo "as described"
