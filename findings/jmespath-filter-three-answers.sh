#!/usr/bin/env bash
# jmespath 1.1.0 (PyPI), jmespath 0.16.0 and @jmespath-community/jmespath 1.3.0 (npm): one filter has three answers.
#
# JMESPath orders numbers alone: `<` is null where a side is something else, so that a filter leaves that element out. Messages of
# others have a text or null for a number now and then. The community's package follows the specification. npm's older one,
# of far more downloads, compares as JavaScript does: "3" is below 5, and so are null and true. In Python, a text
# among a thousand elements makes the whole query raise TypeError, as a text in `max_by` does, and a number that `contains`
# looks for in a text. That is no JMESPathError, the class that the library documents and programs catch, and an expression that
# compiled and worked for months fails for one message. Python also finds 1 in [true], and the number 202611 in "2026_11".
#
# Output seen (jmespath of PyPI; jmespath of npm; @jmespath-community/jmespath):
#   [?restarts < `5`].pod of 1, null: ["a"]; ["a","b"]; ["a"]
#   [?restarts < `5`].pod of 1, "3": TypeError; ["a","b"]; ["a"]
#   [?contains(id, build)].pod of "12", 12 in "x-12": TypeError; ["a","b"]; ["a"]
#   max_by(@, &restarts).pod of 1, "3": TypeError; "b"; "b"
#   contains(@, `1`) of true: true; false; false
#   to_number(@) of "2026_11": 202611; null; null
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jmespath==1.1.0
cd "$folder"
npm install --silent --no-audit --no-fund --no-save jmespath@0.16.0 @jmespath-community/jmespath@1.3.0
cat >queries.json <<'JSON'
[
  ["[?restarts < `5`].pod", "1, null", [{"pod": "a", "restarts": 1}, {"pod": "b", "restarts": null}]],
  ["[?restarts < `5`].pod", "1, \"3\"", [{"pod": "a", "restarts": 1}, {"pod": "b", "restarts": "3"}]],
  ["[?contains(id, build)].pod", "\"12\", 12 in \"x-12\"",
    [{"pod": "a", "id": "x-12", "build": "12"}, {"pod": "b", "id": "x-12", "build": 12}]],
  ["max_by(@, &restarts).pod", "1, \"3\"", [{"pod": "a", "restarts": 1}, {"pod": "b", "restarts": "3"}]],
  ["contains(@, `1`)", "true", [true]],
  ["to_number(@)", "\"2026_11\"", "2026_11"]
]
JSON
cat >search.py <<'PY'
import json

import jmespath

with open("queries.json") as queries:
    for query, name, content in json.load(queries):
        try:
            answer = json.dumps(jmespath.search(query, content))
        except jmespath.exceptions.JMESPathError:
            answer = "JMESPathError"
        except TypeError:
            answer = "TypeError"
        print(f"{query} of {name}: {answer}")
PY
cat >search.js <<'JS'
const { search } = require(process.argv[2]);
for (const [query, , content] of require("./queries.json")) {
  try {
    console.log(JSON.stringify(search(content, query)));
  } catch (error) {
    console.log(error.name);
  }
}
JS
paste -d ';' <(venv/bin/python search.py) <(node search.js jmespath) <(node search.js @jmespath-community/jmespath) |
  sed 's/;/; /g' >seen
cat seen
diff - seen <<'SEEN'
[?restarts < `5`].pod of 1, null: ["a"]; ["a","b"]; ["a"]
[?restarts < `5`].pod of 1, "3": TypeError; ["a","b"]; ["a"]
[?contains(id, build)].pod of "12", 12 in "x-12": TypeError; ["a","b"]; ["a"]
max_by(@, &restarts).pod of 1, "3": TypeError; "b"; "b"
contains(@, `1`) of true: true; false; false
to_number(@) of "2026_11": 202611; null; null
SEEN
echo "as described"
