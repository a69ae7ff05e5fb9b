#!/usr/bin/env bash
# unleash-client 6.12.1 (npm) and UnleashClient 6.9.1 (PyPI): for names beyond ASCII, a gradual rollout depends on the language.
#
# Unleash's `flexibleRollout` turns the user into a number from 1 to 100 by MurmurHash, the same in all SDKs: a user who has a
# feature in one service has it in every other. The hash is about bytes. Python's SDK takes those of UTF-8, JavaScript's the
# lower eight bits of each UTF-16 unit: for ASCII both are the same, and tests with `user-1` agree. But at 40 % `josé` has the
# feature in Python and not in JavaScript, where `łukasz` is moreover the same as `Bukasz`, as `ł` ends in the bits of `B`.
# Whoever makes names, mail addresses or titles sticky should turn them into ASCII first, such as a digest in hexadecimal.
#
# Output seen (the first percentage that includes the user):
#   alice: JavaScript 23, Python 23
#   user-1: JavaScript 5, Python 5
#   josé: JavaScript 45, Python 33
#   zoë: JavaScript 7, Python 38
#   Bukasz: JavaScript 23, Python 23
#   łukasz: JavaScript 23, Python 51
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check UnleashClient==6.9.1 yggdrasil-engine==2.0.0
cd "$folder"
npm install --silent --no-audit --no-fund --no-save unleash-client@6.12.1
cat >rollout.py <<'PY'
import logging
import sys
import tempfile

from UnleashClient import UnleashClient
from UnleashClient.cache import FileCache

logging.disable()


def feature(percent):
    parameters = {"rollout": str(percent), "stickiness": "userId", "groupId": "g"}
    return {"name": f"f{percent}", "enabled": True, "strategies": [{"name": "flexibleRollout", "parameters": parameters}]}


cache = FileCache("shop", tempfile.mkdtemp(dir="."))
cache.bootstrap_from_dict({"version": 2, "features": [feature(percent) for percent in range(1, 101)]})
client = UnleashClient("http://127.0.0.1:9/api", "shop", cache=cache, disable_metrics=True, disable_registration=True)
client.initialize_client(fetch_toggles=False)
for user in sys.argv[1:]:
    print(next(percent for percent in range(1, 101) if client.is_enabled(f"f{percent}", {"userId": user})))
client.destroy()
PY
cat >rollout.js <<'JS'
const { defaultStrategies } = require("unleash-client/lib/strategy");
const strategy = defaultStrategies.find(({ name }) => name === "flexibleRollout");
for (const userId of process.argv.slice(2)) {
  let rollout = 1;
  while (!strategy.isEnabled({ rollout, stickiness: "userId", groupId: "g" }, { userId })) rollout++;
  console.log(rollout);
}
JS
users=(alice user-1 josé zoë Bukasz łukasz)
paste -d ' ' <(printf '%s\n' "${users[@]}") <(node rollout.js "${users[@]}") <(venv/bin/python rollout.py "${users[@]}") |
  sed 's/\(.*\) \(.*\) \(.*\)/\1: JavaScript \2, Python \3/' >seen
cat seen
diff - seen <<'SEEN'
alice: JavaScript 23, Python 23
user-1: JavaScript 5, Python 5
josé: JavaScript 45, Python 33
zoë: JavaScript 7, Python 38
Bukasz: JavaScript 23, Python 23
łukasz: JavaScript 23, Python 51
SEEN
echo "as described"
