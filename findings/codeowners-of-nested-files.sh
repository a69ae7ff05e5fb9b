#!/usr/bin/env bash
# codeowners 5.1.1, codeowners-utils 1.0.2 (npm), codeowners 0.9.0 (PyPI): who owns a file depends on who reads CODEOWNERS.
#
# GitHub's patterns are nearly those of .gitignore, but it documents that `docs/*` is about the files of that folder alone, not
# about those of folders in it. Both npm packages match with one for .gitignore, where an ignored folder takes all in it
# along: they give docs/api/v1.md to the owner of `docs/*`, for whom GitHub asks no review. Without a more general rule, GitHub
# has no owner at all, and a check that each file has one passes. A pattern that ends with `/` means the same to all. The
# package `codeowners` of npm moreover takes the words of a comment for owners, also where a line leaves files without any.
# The Python package does as GitHub documents.
#
# Output seen (codeowners of npm; codeowners-utils; codeowners of PyPI):
#   docs/index.md: @writers; @writers; @writers
#   docs/api/v1.md: @writers; @writers; @all
#   apps/shop/main.ts: @shop # until May; @shop; @shop
#   vendor/lib.js: # not ours; none; none
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check codeowners==0.9.0
cd "$folder"
npm install --silent --no-audit --no-fund --no-save codeowners@5.1.1 codeowners-utils@1.0.2
cat >CODEOWNERS <<'OWNERS'
* @all
docs/* @writers
/apps/ @shop # until May
/vendor/ # not ours
OWNERS
printf '%s\n' docs/index.md docs/api/v1.md apps/shop/main.ts vendor/lib.js >files
cat >owners.py <<'PY'
from pathlib import Path

from codeowners import CodeOwners

owners = CodeOwners(Path("CODEOWNERS").read_text())
for file in Path("files").read_text().split():
    print(" ".join(name for _, name in owners.of(file)) or "none")
PY
cat >owners.js <<'JS'
const { readFileSync } = require("node:fs");
const { matchFile, parse } = require("codeowners-utils");
const Codeowners = require("codeowners");
const entries = parse(readFileSync("CODEOWNERS", "utf8"));
const codeowners = new Codeowners(process.cwd());
for (const file of readFileSync("files", "utf8").trim().split("\n")) {
  const found = [codeowners.getOwner(file), matchFile(file, entries).owners];
  console.log(found.map((names) => names.join(" ") || "none").join("; "));
}
JS
paste -d ';' <(sed 's/$/: /' files) <(node owners.js) <(venv/bin/python owners.py) | sed 's/: ;/: /; s/;\([^ ]\)/; \1/' >seen
cat seen
diff - seen <<'SEEN'
docs/index.md: @writers; @writers; @writers
docs/api/v1.md: @writers; @writers; @all
apps/shop/main.ts: @shop # until May; @shop; @shop
vendor/lib.js: # not ours; none; none
SEEN
echo "as described"
