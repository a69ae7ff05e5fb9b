#!/usr/bin/env bash
# packageurl-js 2.0.1 (npm) and packageurl-python 0.17.6 (PyPI): a package URL that is read and written names another package.
#
# A package URL (purl) percent-encodes; a plus means itself, and a slash inside of a name is written `%2F`, since a bare one
# separates the namespace from the name. The JavaScript library reads qualifiers as forms are read: the tag `1.4.0+build.5`
# becomes `1.4.0 build.5`, and is written with `%20`. It leaves the version of the same text alone. The Python library keeps
# both pluses, but writes the name `a/b` with its slash bare: read again, `a` is the namespace and `b` the name.
# An inventory whose keys are purls so loses what it looks for once the other library, or its own, has passed them on.
#
# Output seen (read, written, and read again):
#   pkg:oci/shop@sha256%3A244fd47e?tag=1.4.0+build.5
#     JavaScript: tag '1.4.0 build.5', written ?tag=1.4.0%20build.5
#     Python: tag '1.4.0+build.5', written ?tag=1.4.0%2Bbuild.5
#   pkg:generic/a%2Fb@1
#     JavaScript: name 'a/b', written pkg:generic/a%2Fb@1, read again name 'a/b'
#     Python: name 'a/b', written pkg:generic/a/b@1, read again name 'b'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check packageurl-python==0.17.6
(cd "$folder" && npm install --silent --no-audit --no-fund --no-save packageurl-js@2.0.1)
cat >"$folder/read.mjs" <<'JS'
import { PackageURL } from "packageurl-js";
const image = PackageURL.fromString(process.argv[2]);
console.log(`JavaScript: tag '${image.qualifiers.tag}', written ?${image.toString().split("?")[1]}`);
const plain = PackageURL.fromString(process.argv[3]);
const again = PackageURL.fromString(plain.toString());
console.log(`JavaScript: name '${plain.name}', written ${plain}, read again name '${again.name}'`);
JS
cat >"$folder/read.py" <<'PY'
import sys

from packageurl import PackageURL

image = PackageURL.from_string(sys.argv[1])
print(f"Python: tag '{image.qualifiers['tag']}', written ?{image.to_string().split('?')[1]}")
plain = PackageURL.from_string(sys.argv[2])
again = PackageURL.from_string(plain.to_string())
print(f"Python: name '{plain.name}', written {plain.to_string()}, read again name '{again.name}'")
PY
purls=("pkg:oci/shop@sha256%3A244fd47e?tag=1.4.0+build.5" "pkg:generic/a%2Fb@1")
(cd "$folder" && node read.mjs "${purls[@]}") >"$folder/seen"
"$folder/venv/bin/python" "$folder/read.py" "${purls[@]}" >>"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
JavaScript: tag '1.4.0 build.5', written ?tag=1.4.0%20build.5
JavaScript: name 'a/b', written pkg:generic/a%2Fb@1, read again name 'a/b'
Python: tag '1.4.0+build.5', written ?tag=1.4.0%2Bbuild.5
Python: name 'a/b', written pkg:generic/a/b@1, read again name 'b'
SEEN
echo "as described"
