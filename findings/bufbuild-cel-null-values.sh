#!/usr/bin/env bash
# @bufbuild/cel 0.6.1 (npm), cel-expr-python 0.1.3 and cel-python 0.5.0 (PyPI): a key whose value is null is absent in JavaScript.
#
# In CEL `in` and has() ask a map for its key; what the value is doesn't matter. Buf's implementation, which protovalidate in
# JavaScript is built on, answers false where the value is null, though the same map counts the key in size(), gives it to
# all(), and returns its value. JSON has such keys whenever a field is cleared rather than left out: a rule that tells changes
# whose ticket was cleared (`'ticket' in change`) finds them where Google's implementation runs, or the other one in Python,
# and not in JavaScript. Where a rule means values, `'ticket' in change && change.ticket != null` is the same everywhere.
#
# Output seen (of a map {'ticket': null}):
#   'ticket' in change: @bufbuild/cel false, cel-expr-python true, cel-python true
#   has(change.ticket): @bufbuild/cel false, cel-expr-python true, cel-python true
#   change.ticket == null: @bufbuild/cel true, cel-expr-python true, cel-python true
#   size(change): @bufbuild/cel 1, cel-expr-python 1, cel-python 1
#   change.all(key, key == 'ticket'): @bufbuild/cel true, cel-expr-python true, cel-python true
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cel-expr-python==0.1.3 cel-python==0.5.0
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save @bufbuild/cel@0.6.1)
cat >"$folder/expressions.json" <<'JSON'
["'ticket' in change", "has(change.ticket)", "change.ticket == null", "size(change)", "change.all(key, key == 'ticket')"]
JSON
cat >"$folder/evaluate.mjs" <<'JS'
import { readFileSync } from "node:fs";
import { run } from "@bufbuild/cel";
for (const expression of JSON.parse(readFileSync("expressions.json", "utf8")))
  console.log(String(run(expression, { change: { ticket: null } })));
JS
cat >"$folder/evaluate.py" <<'PY'
import json
import sys

import celpy
from cel_expr_python import cel

CHANGE = {"ticket": None}
with open("expressions.json") as file:
    expressions = json.load(file)
google = cel.NewEnv(variables={"change": cel.Type.Map(cel.Type.STRING, cel.Type.DYN)})
other = celpy.Environment()
for expression, buf in zip(expressions, sys.stdin.read().split(), strict=True):
    first = google.compile(expression).eval(data={"change": CHANGE}).plain_value()
    second = other.program(other.compile(expression)).evaluate({"change": celpy.json_to_cel(CHANGE)})
    python = [f"{json.dumps(json.loads(str(each).lower()))}" for each in (first, second)]
    print(f"{expression}: @bufbuild/cel {buf}, cel-expr-python {python[0]}, cel-python {python[1]}")
PY
(cd "$folder" && node evaluate.mjs | venv/bin/python evaluate.py 2>log) >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
'ticket' in change: @bufbuild/cel false, cel-expr-python true, cel-python true
has(change.ticket): @bufbuild/cel false, cel-expr-python true, cel-python true
change.ticket == null: @bufbuild/cel true, cel-expr-python true, cel-python true
size(change): @bufbuild/cel 1, cel-expr-python 1, cel-python 1
change.all(key, key == 'ticket'): @bufbuild/cel true, cel-expr-python true, cel-python true
SEEN
echo "as described"
