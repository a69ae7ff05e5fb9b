#!/usr/bin/env bash
# cel-expr-python 0.1.3, cel-python 0.5.0, common-expression-language 0.10.0 (PyPI): one rule, three answers about durations.
#
# All three evaluate CEL; the first is Google's implementation in C++, the third is in Rust. getMilliseconds() of a duration is
# the part below a second, as the conformance tests of the language have it, so that `>= 1000` never holds; for the two others
# it is the whole duration, as getSeconds() is everywhere. string() of cel-python drops what is below a second, of a time as of
# a duration, so that what is read back isn't what was written. cel-python takes a time without an offset for UTC, where
# the others refuse it. size() of a text counts characters, and bytes in the third.
# Rules move between gateways, clusters and pipelines as text: compare durations with durations (`d >= duration('1s')`), and
# test a rule with the package that will run it.
#
# Output seen (cel-expr-python, cel-python, common-expression-language):
#   duration('61.5s').getSeconds(): 61, 61, 61
#   duration('61.5s').getMilliseconds(): 500, 61500, 61500
#   duration('61.5s').getMilliseconds() >= 1000: False, True, True
#   duration('61.5s') >= duration('1s'): True, True, True
#   duration(string(duration('1.5s'))) == duration('1.5s'): True, False, True
#   string(timestamp('2026-01-01T00:00:00.1Z')): 2026-01-01T00:00:00.100Z, 2026-01-01T00:00:00Z, 2026-01-01T00:00:00.100+00:00
#   timestamp('2026-01-01T10:00:00') < timestamp('2026-01-02T00:00:00Z'): refused, True, refused
#   size('Größe'): 5, 5, 7
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    cel-expr-python==0.1.3 cel-python==0.5.0 common-expression-language==0.10.0
cat >"$folder/evaluate.py" <<'PY'
import cel
import celpy
from cel_expr_python import cel as google

RULES = [
    "duration('61.5s').getSeconds()",
    "duration('61.5s').getMilliseconds()",
    "duration('61.5s').getMilliseconds() >= 1000",
    "duration('61.5s') >= duration('1s')",
    "duration(string(duration('1.5s'))) == duration('1.5s')",
    "string(timestamp('2026-01-01T00:00:00.1Z'))",
    "timestamp('2026-01-01T10:00:00') < timestamp('2026-01-02T00:00:00Z')",
    "size('Größe')",
]
first, second = google.NewEnv(), celpy.Environment()


def attempt(evaluate, *given):
    try:
        return evaluate(*given)
    except Exception:  # each package has errors of its own
        return "refused"


def evaluated(value):
    return "refused" if value.type() == google.Type.ERROR else value.plain_value()


def compare(rule):
    return (
        attempt(lambda: evaluated(first.compile(rule).eval())),
        attempt(lambda: second.program(second.compile(rule)).evaluate({})),
        attempt(cel.evaluate, rule),
    )


for rule in RULES:
    print(f"{rule}: {', '.join(str(each) for each in compare(rule))}")
PY
"$folder/venv/bin/python" "$folder/evaluate.py" >"$folder/seen" 2>"$folder/log"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
duration('61.5s').getSeconds(): 61, 61, 61
duration('61.5s').getMilliseconds(): 500, 61500, 61500
duration('61.5s').getMilliseconds() >= 1000: False, True, True
duration('61.5s') >= duration('1s'): True, True, True
duration(string(duration('1.5s'))) == duration('1.5s'): True, False, True
string(timestamp('2026-01-01T00:00:00.1Z')): 2026-01-01T00:00:00.100Z, 2026-01-01T00:00:00Z, 2026-01-01T00:00:00.100+00:00
timestamp('2026-01-01T10:00:00') < timestamp('2026-01-02T00:00:00Z'): refused, True, refused
size('Größe'): 5, 5, 7
SEEN
echo "as described"
