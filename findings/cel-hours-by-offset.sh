#!/usr/bin/env bash
# common-expression-language 0.10.0, cel-python 0.5.0 (PyPI), @bufbuild/cel 0.6.1, cel-js 0.8.2 (npm): a window has other hours.
#
# CEL is one language for policies, such as when and how far one may deploy, with evaluators in many languages. Its definition
# takes the hour of a timestamp in UTC where no zone is given, so that equal timestamps have equal hours. The first package (the
# Rust evaluator for Python) takes it in the offset that the text, or a datetime of Python, was written with: a window until
# 17:00 UTC is closed at 16:30 UTC for a caller in +02:00, and open at 18:30 UTC for one in -02:00. It knows no zone as an
# argument either, by which one could name UTC: turn times into UTC before. cel-js has no timestamps, and divides
# integers to a fraction: two of three healthy replicas are more than 66 %. The two others follow the definition.
#
# Output seen (common-expression-language; cel-python; @bufbuild/cel; cel-js):
#   timestamp("2026-03-02T18:30:00+02:00") == timestamp("2026-03-02T16:30:00Z"): true; true; true; refused
#   timestamp("2026-03-02T18:30:00+02:00").getHours() < 17: false; true; true; refused
#   timestamp("2026-03-02T16:30:00-02:00").getHours() < 17: true; false; false; refused
#   timestamp("2026-03-02T18:30:00+02:00").getHours("UTC") < 17: refused; true; true; refused
#   100 * 2 / 3 > 66: false; false; false; true
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in common-expression-language==0.10.0 cel-python==0.5.0; do
  python3 -m venv "$folder/${package%%=*}"
  "$folder/${package%%=*}/bin/pip" install --quiet --disable-pip-version-check "$package"
done
cd "$folder"
npm install --silent --no-audit --no-fund --no-save @bufbuild/cel@0.6.1 @bufbuild/protobuf@2.12.0 cel-js@0.8.2
cat >rules <<'CEL'
timestamp("2026-03-02T18:30:00+02:00") == timestamp("2026-03-02T16:30:00Z")
timestamp("2026-03-02T18:30:00+02:00").getHours() < 17
timestamp("2026-03-02T16:30:00-02:00").getHours() < 17
timestamp("2026-03-02T18:30:00+02:00").getHours("UTC") < 17
100 * 2 / 3 > 66
CEL
cat >rust.py <<'PY'
import cel

with open("rules", encoding="utf-8") as rules:
    for rule in rules:
        try:
            print(str(cel.evaluate(rule, {})).lower())
        except (RuntimeError, TypeError, ValueError):
            print("refused")
PY
cat >python.py <<'PY'
import celpy

environment = celpy.Environment()
with open("rules", encoding="utf-8") as rules:
    for rule in rules:
        print(str(environment.program(environment.compile(rule)).evaluate({})).lower())
PY
cat >evaluate.mjs <<'JS'
import { readFileSync } from "node:fs";
import { run } from "@bufbuild/cel";
import { evaluate } from "cel-js";
const evaluator = process.argv[2] === "cel-js" ? evaluate : run;
for (const rule of readFileSync("rules", "utf8").trim().split("\n")) {
  try {
    console.log(`${evaluator(rule)}`);
  } catch {
    console.log("refused");
  }
}
JS
common-expression-language/bin/python rust.py >rust
cel-python/bin/python python.py >python
node evaluate.mjs @bufbuild/cel >bufbuild
node evaluate.mjs cel-js >javascript
paste -d ';' <(sed 's/$/: /' rules) rust python bufbuild javascript | sed 's/: ;/: /; s/;/; /g' >seen
cat seen
diff - seen <<'SEEN'
timestamp("2026-03-02T18:30:00+02:00") == timestamp("2026-03-02T16:30:00Z"): true; true; true; refused
timestamp("2026-03-02T18:30:00+02:00").getHours() < 17: false; true; true; refused
timestamp("2026-03-02T16:30:00-02:00").getHours() < 17: true; false; false; refused
timestamp("2026-03-02T18:30:00+02:00").getHours("UTC") < 17: refused; true; true; refused
100 * 2 / 3 > 66: false; false; false; true
SEEN
echo "as described"
