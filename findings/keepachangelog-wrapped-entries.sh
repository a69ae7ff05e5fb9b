#!/usr/bin/env bash
# keepachangelog 2.0.0 (PyPI): an entry that is wrapped over two lines becomes two entries, and a nested one loses its parent.
#
# A changelog in the form of Keep a Changelog is Markdown, where a list item goes on in the lines that are indented below it.
# `to_dict` reads line by line: each line is an entry of its own, whatever its indent. So a release has more entries than were
# written, halves of sentences among them, and the end of one, "unless it is empty", reads as a change. `from_dict` writes
# what was read, so that whoever passes a changelog through it changes the text of each release that wraps.
#
# Output seen:
#   fixed: ['The queue is kept over a restart,', 'unless it is empty', 'Locks:', 'released by their holder alone']
#   written: - The queue is kept over a restart,
#   written: - unless it is empty
#   written: - Locks:
#   written: - released by their holder alone
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check keepachangelog==2.0.0
cat >"$folder/CHANGELOG.md" <<'MD'
# Changelog

## [1.1.0] - 2026-02-01

### Fixed

- The queue is kept over a restart,
  unless it is empty
- Locks:
  - released by their holder alone
MD
cat >"$folder/read.py" <<'PY'
import sys

import keepachangelog

changes = keepachangelog.to_dict(sys.argv[1])
print(f"fixed: {changes['1.1.0']['fixed']}")
for line in keepachangelog.from_dict(changes).splitlines():
    if line.startswith("- "):
        print(f"written: {line}")
PY
"$folder/venv/bin/python" "$folder/read.py" "$folder/CHANGELOG.md" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
fixed: ['The queue is kept over a restart,', 'unless it is empty', 'Locks:', 'released by their holder alone']
written: - The queue is kept over a restart,
written: - unless it is empty
written: - Locks:
written: - released by their holder alone
SEEN
echo "as described"
