#!/usr/bin/env bash
# opentelemetry-api 1.45.2 (PyPI) and @opentelemetry/core 2.12.1 (npm): a plus in baggage becomes a space, and a space a plus.
#
# W3C Baggage percent-encodes what a value may not hold as it is; a plus (%x2B) is in the range that may stand unencoded, and
# means itself. The Python propagator encodes and decodes values as forms do (`quote_plus`, `unquote_plus`): it reads the
# version `1.4.0+build.5` of another sender as `1.4.0 build.5`, and writes a space as a plus, which every other reader keeps.
# So SemVer's build metadata don't reach a service in Python, and a title from one in Python has pluses for its spaces. Two
# Python services understand each other, which hides it. Send `%2B` and `%20`, which both read alike.
# The properties of a value (`;ttl=3`) are a part of the value in Python; in JavaScript they are apart from it.
#
# Output seen:
#   Python writes: version=1.4.0%2Bbuild.5,title=Deploy+checkout
#   JavaScript reads: version '1.4.0+build.5' title 'Deploy+checkout'
#   JavaScript writes: version=1.4.0%2Bbuild.5,title=Deploy%20checkout
#   Python reads: version '1.4.0+build.5' title 'Deploy checkout'
#   of version=1.4.0+build.5;ttl=3 JavaScript reads: version '1.4.0+build.5'
#   of version=1.4.0+build.5;ttl=3 Python reads: version '1.4.0 build.5;ttl=3'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opentelemetry-api==1.45.2
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save @opentelemetry/api@1.9.1 @opentelemetry/core@2.12.1)
cat >"$folder/baggage.js" <<'JS'
const { defaultTextMapGetter, defaultTextMapSetter, propagation, ROOT_CONTEXT } = require("@opentelemetry/api");
const { W3CBaggagePropagator } = require("@opentelemetry/core");
const propagator = new W3CBaggagePropagator();
const [, , todo, header] = process.argv;
if (todo === "write") {
  const entries = { version: { value: "1.4.0+build.5" }, title: { value: "Deploy checkout" } };
  const carrier = {};
  const context = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage(entries));
  propagator.inject(context, carrier, defaultTextMapSetter);
  console.log(carrier.baggage);
} else {
  const context = propagator.extract(ROOT_CONTEXT, { baggage: header }, defaultTextMapGetter);
  const entries = propagation.getBaggage(context).getAllEntries();
  console.log(entries.map(([key, { value }]) => `${key} '${value}'`).join(" "));
}
JS
cat >"$folder/baggage.py" <<'PY'
import sys

from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator

propagator = W3CBaggagePropagator()
if sys.argv[1] == "write":
    carrier = {}
    context = baggage.set_baggage("version", "1.4.0+build.5")
    propagator.inject(carrier, context=baggage.set_baggage("title", "Deploy checkout", context))
    print(carrier["baggage"])
else:
    entries = baggage.get_all(propagator.extract({"baggage": sys.argv[2]}))
    print(" ".join(f"{key} '{value}'" for key, value in entries.items()))
PY
python() { "$folder/venv/bin/python" "$folder/baggage.py" "$@"; }
javascript() { (cd "$folder" && node baggage.js "$@"); }
properties="version=1.4.0+build.5;ttl=3"
{
  written=$(python write)
  echo "Python writes: $written"
  echo "JavaScript reads: $(javascript read "$written")"
  written=$(javascript write)
  echo "JavaScript writes: $written"
  echo "Python reads: $(python read "$written")"
  echo "of $properties JavaScript reads: $(javascript read "$properties")"
  echo "of $properties Python reads: $(python read "$properties")"
} >"$folder/seen"
diff - "$folder/seen" <<'SEEN'
Python writes: version=1.4.0%2Bbuild.5,title=Deploy+checkout
JavaScript reads: version '1.4.0+build.5' title 'Deploy+checkout'
JavaScript writes: version=1.4.0%2Bbuild.5,title=Deploy%20checkout
Python reads: version '1.4.0+build.5' title 'Deploy checkout'
of version=1.4.0+build.5;ttl=3 JavaScript reads: version '1.4.0+build.5'
of version=1.4.0+build.5;ttl=3 Python reads: version '1.4.0 build.5;ttl=3'
SEEN
echo "as described"
