#!/usr/bin/env bash
# jsondiff 2.2.1, dictdiffer 0.10.0, deepdiff 9.1.0 (PyPI): true that became 1 is no difference, or only outside of lists.
#
# To find drift, one compares what was declared with what runs. In JSON, true and 1 are two values: a chart that is given 1
# for true fails its schema, or takes the other branch. In Python they are equal, as are false and 0: jsondiff and dictdiffer
# compare with `==` and find nothing, at any depth. deepdiff finds the change of type in an object, but not as an item
# of a list, where it looks for equal items first; with ignore_order=True, which hides a new order, it does. jsonpatch 1.48
# tells the values apart everywhere. Whoever trusts an empty difference should compare the texts of json.dumps() as well.
#
# Output seen (differences found):
#   {"enabled": true} and {"enabled": 1}: jsondiff 0, dictdiffer 0, deepdiff 1, deepdiff without order 1, jsonpatch 1
#   {"args": [false, true]} and {"args": [0, 1]}: jsondiff 0, dictdiffer 0, deepdiff 0, deepdiff without order 2, jsonpatch 2
#   {"args": ["on", "off"]} and {"args": [1, 0]}: jsondiff 1, dictdiffer 2, deepdiff 2, deepdiff without order 2, jsonpatch 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  jsondiff==2.2.1 dictdiffer==0.10.0 deepdiff==9.1.0 jsonpatch==1.48
cat >"$folder/compare.py" <<'PY'
import json

import dictdiffer
import jsondiff
import jsonpatch
from deepdiff import DeepDiff

PAIRS = [
    ({"enabled": True}, {"enabled": 1}),
    ({"args": [False, True]}, {"args": [0, 1]}),
    ({"args": ["on", "off"]}, {"args": [1, 0]}),
]


def found(difference):
    return sum(len(changes) for changes in difference.values())


for declared, actual in PAIRS:
    counts = {
        "jsondiff": len(jsondiff.diff(declared, actual)),
        "dictdiffer": len(list(dictdiffer.diff(declared, actual))),
        "deepdiff": found(DeepDiff(declared, actual)),
        "deepdiff without order": found(DeepDiff(declared, actual, ignore_order=True)),
        "jsonpatch": len(list(jsonpatch.make_patch(declared, actual))),
    }
    said = ", ".join(f"{library} {count}" for library, count in counts.items())
    print(f"{json.dumps(declared)} and {json.dumps(actual)}: {said}")
PY
"$folder/venv/bin/python" "$folder/compare.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
{"enabled": true} and {"enabled": 1}: jsondiff 0, dictdiffer 0, deepdiff 1, deepdiff without order 1, jsonpatch 1
{"args": [false, true]} and {"args": [0, 1]}: jsondiff 0, dictdiffer 0, deepdiff 0, deepdiff without order 2, jsonpatch 2
{"args": ["on", "off"]} and {"args": [1, 0]}: jsondiff 1, dictdiffer 2, deepdiff 2, deepdiff without order 2, jsonpatch 2
SEEN
echo "as described"
