#!/usr/bin/env bash
# fast-sugiyama 0.5.3: in a graph of several parts a bend is taken for a node, whatever the nodes are called.
#
# from_edges() lays out each connected part, and gives bends of long edges numbers of the library's own. Nodes are numbered
# too, over all parts, and in the answer each number that a node could have becomes a name again. A bend of one part can
# have such a number: it then appears under the name of a node, perhaps one of its own part, which so has two places. With
# one call for each part, every node has one place, and both bends are numbers.
#
# Output seen:
#   both parts at once: 1000021 has 2 places; the long edge goes [(7, 1000021), (1000021, 7), (1000021, 1000002)]
#   a part at a time: every node has 1 place
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fast-sugiyama==0.5.3
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from collections import Counter

from fast_sugiyama import from_edges

SMALL = [(1000003, 1000001)]
LARGE = [(1000010, 1000012), (1000012, 1000002), (1000021, 1000002), (1000021, 1000010)]
NODES = {node for edge in SMALL + LARGE for node in edge}


def layout(edges):
    parts = list(from_edges(edges))
    places = Counter(name for part in parts for name, _ in part[0] if name in NODES)
    return places, [edge for part in parts for edge in part[3]]


places, links = layout(SMALL + LARGE)
for node, count in places.items():
    if count > 1:
        strange = sorted(edge for edge in links if node in edge and edge not in [(1000021, 1000010)])
        print(f"both parts at once: {node} has {count} places; the long edge goes {strange}")
alone = {count for part in (SMALL, LARGE) for count in layout(part)[0].values()}
print("a part at a time: every node has", *alone, "place")
PY
diff - "$folder/seen" <<'SEEN'
both parts at once: 1000021 has 2 places; the long edge goes [(7, 1000021), (1000021, 7), (1000021, 1000002)]
a part at a time: every node has 1 place
SEEN
echo "as described"
