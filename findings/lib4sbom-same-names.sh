#!/usr/bin/env bash
# cyclonedx-python-lib 11.12.0 and lib4sbom 0.10.4 (PyPI): of components that differ in their group alone, lib4sbom reads one.
#
# In CycloneDX the scope of an npm package and the group of a Maven artifact are a field of their own, `group`, beside `name`: of
# `@babel/core` and `@angular/core` the name is `core`. lib4sbom, on which scanners such as cve-bin-tool stand, keeps packages by
# name and version. The last of a name and version is read, its namesakes are gone, without a word; so is what their purls, hashes
# and licenses said. The list of dependencies does name both, by their bom-ref, and one of them leads nowhere. Monorepos publish
# all their packages with one version, which makes it likely. What lib4sbom writes from what it read lacks them too.
#
# Output seen:
#   written 5, read 3
#   pkg:maven/org.example/core@2.1.0 read
#   pkg:npm/%40example/client@2.1.0 read
#   pkg:npm/%40example/core@2.1.0 lost
#   pkg:npm/%40sample/core@2.1.0 lost
#   pkg:npm/%40sample/core@2.2.0 read
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    cyclonedx-python-lib==11.12.0 packageurl-python==0.17.6 lib4sbom==0.10.4
cat >"$folder/write.py" <<'PY'
import sys

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

PACKAGES = [
    ("npm", "@example", "core", "2.1.0"),
    ("npm", "@example", "client", "2.1.0"),
    ("npm", "@sample", "core", "2.1.0"),
    ("maven", "org.example", "core", "2.1.0"),
    ("npm", "@sample", "core", "2.2.0"),
]
bom = Bom()
for kind, group, name, version in PACKAGES:
    purl = PackageURL(kind, group, name, version)
    bom.components.add(Component(group=group, name=name, version=version, purl=purl, bom_ref=str(purl)))
JsonV1Dot6(bom).output_to_file(sys.argv[1])
PY
cat >"$folder/read.py" <<'PY'
import json
import sys

from lib4sbom.parser import SBOMParser

with open(sys.argv[1]) as file:
    written = {each["purl"] for each in json.load(file)["components"]}
parser = SBOMParser()
parser.parse_file(sys.argv[1])
read = {reference[2] for package in parser.get_packages() for reference in package["externalreference"]}
print(f"written {len(written)}, read {len(read)}")
for purl in sorted(written):
    print(purl, "read" if purl in read else "lost")
PY
"$folder/venv/bin/python" "$folder/write.py" "$folder/bom.json"
"$folder/venv/bin/python" "$folder/read.py" "$folder/bom.json" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
written 5, read 3
pkg:maven/org.example/core@2.1.0 read
pkg:npm/%40example/client@2.1.0 read
pkg:npm/%40example/core@2.1.0 lost
pkg:npm/%40sample/core@2.1.0 lost
pkg:npm/%40sample/core@2.2.0 read
SEEN
echo "as described"
