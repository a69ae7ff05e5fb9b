#!/usr/bin/env bash
# PyYAML 6.0.4 (PyPI), js-yaml 5.5.0 and yaml 2.9.1 (npm): one short commit hash in 50 that PyYAML writes is read as a number.
#
# PyYAML quotes a string that it would itself read as something else. It follows YAML 1.1, where a float has a dot and its
# exponent a sign, and a number that begins with 0 is octal: `7204e52` and `0580597` are strings to it, and stand unquoted. In
# YAML 1.2, which both readers follow, they are numbers. Of twenty thousand hashes of seven digits, made from a seed, 2.2 %
# come back from `yaml` as numbers, some of them Infinity; js-yaml keeps those that overflow, and has 1.2 %.
# A pipeline that writes the tag of an image in Python so works for weeks, and then deploys `shop:580597`, which doesn't
# exist, and is not the text that anyone finds in a log. A letter in front avoids it (`g7204e52`, as `git describe` has it),
# as does `default_style='"'`.
#
# Output seen:
#   js-yaml: 242 of 20000 are numbers
#   yaml: 459 of 20000 are numbers
#   tag: 7204e52, js-yaml number 7.204e+55, yaml number 7.204e+55
#   tag: 0580597, js-yaml number 580597, yaml number 580597
#   tag: 12e4567, js-yaml string 12e4567, yaml number Infinity
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check PyYAML==6.0.4
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save js-yaml@5.5.0 yaml@2.9.1)
cat >"$folder/write.py" <<'PY'
import json
import random
import sys

import yaml

source = random.Random(1)
hashes = [f"{source.getrandbits(28):07x}" for _ in range(20_000)]
lines = [yaml.dump({"tag": each}).strip() for each in hashes]
assert [yaml.safe_load(line)["tag"] for line in lines] == hashes
examples = [yaml.dump({"tag": each}).strip() for each in ("7204e52", "0580597", "12e4567")]
json.dump({"hashes": hashes, "lines": lines, "examples": examples}, sys.stdout)
PY
cat >"$folder/read.js" <<'JS'
const { hashes, lines, examples } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const readers = { "js-yaml": require("js-yaml").load, yaml: require("yaml").parse };
for (const [name, read] of Object.entries(readers)) {
  const numbers = lines.filter((line) => typeof read(line).tag === "number").length;
  console.log(`${name}: ${numbers} of ${hashes.length} are numbers`);
}
for (const line of examples) {
  const read = Object.entries(readers).map(([name, each]) => [name, typeof each(line).tag, each(line).tag].join(" "));
  console.log(`${line}, ${read.join(", ")}`);
}
JS
"$folder/venv/bin/python" "$folder/write.py" >"$folder/written"
(cd "$folder" && node read.js <written) >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
js-yaml: 242 of 20000 are numbers
yaml: 459 of 20000 are numbers
tag: 7204e52, js-yaml number 7.204e+55, yaml number 7.204e+55
tag: 0580597, js-yaml number 580597, yaml number 580597
tag: 12e4567, js-yaml string 12e4567, yaml number Infinity
SEEN
echo "as described"
