#!/usr/bin/env bash
# openfeature-flagd-core 2.0.0 (PyPI) and @openfeature/flagd-core 4.0.1 (npm): a gradual rollout reaches other users in each.
#
# flagd's providers evaluate a flag inside of the process, and `fractional` shares users out by a hash of the flag's key and the
# user's: the same user is to have the same variant in every service. The cores of both languages hash with MurmurHash3, and
# share the range out alike. But 2.0.0 in Python hashes the key as CBOR, which the specification is moving to, and 4.0.1 in
# JavaScript, the newest there, hashes the text. Each is a fair tenth, and they have nothing to do with each other: of users
# who have the new variant in Python, nine in ten have the old one in JavaScript. With 1.0.0 in Python both agreed.
# So an update of one language moves users in the middle of a rollout, and what two services do for one request differs.
#
# Output seen (10,000 users, 10 % to `new`):
#   JavaScript 4.0.1: 964 users have new
#   Python 1.0.0: 964 users have new, 964 of them in JavaScript too
#   Python 2.0.0: 1008 users have new, 94 of them in JavaScript too
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for release in 1.0.0 2.0.0; do
    python3 -m venv "$folder/$release"
    "$folder/$release/bin/pip" install --quiet --disable-pip-version-check \
        "openfeature-flagd-core==$release" openfeature-sdk==0.10.0
done
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save @openfeature/flagd-core@4.0.1 @openfeature/server-sdk@1.23.0)
cat >"$folder/flags.json" <<'JSON'
{
  "flags": {
    "checkout": {
      "state": "ENABLED",
      "variants": { "new": "new", "old": "old" },
      "defaultVariant": "old",
      "targeting": { "fractional": [["new", 10], ["old", 90]] }
    }
  }
}
JSON
cat >"$folder/evaluate.py" <<'PY'
import sys

from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

core = FlagdCore()
with open(sys.argv[1]) as flags:
    core.set_flags(flags.read())
for number in range(10_000):
    user = f"user-{number}"
    if core.resolve_string_value("checkout", "none", EvaluationContext(targeting_key=user)).variant == "new":
        print(user)
PY
cat >"$folder/evaluate.js" <<'JS'
const { FlagdCore } = require("@openfeature/flagd-core");
const core = new FlagdCore();
core.setConfigurations(require("fs").readFileSync("flags.json", "utf8"));
for (let number = 0; number < 10000; number++) {
  const user = `user-${number}`;
  if (core.resolveStringEvaluation("checkout", "none", { targetingKey: user }).variant === "new") console.log(user);
}
JS
for release in 1.0.0 2.0.0; do
    "$folder/$release/bin/python" "$folder/evaluate.py" "$folder/flags.json" | sort >"$folder/python-$release"
done
(cd "$folder" && node evaluate.js | sort >javascript)
count() { wc -l | tr -d ' '; }
{
    echo "JavaScript 4.0.1: $(count <"$folder/javascript") users have new"
    for release in 1.0.0 2.0.0; do
        both=$(comm -12 "$folder/javascript" "$folder/python-$release" | count)
        echo "Python $release: $(count <"$folder/python-$release") users have new, $both of them in JavaScript too"
    done
} >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
JavaScript 4.0.1: 964 users have new
Python 1.0.0: 964 users have new, 964 of them in JavaScript too
Python 2.0.0: 1008 users have new, 94 of them in JavaScript too
SEEN
echo "as described"
