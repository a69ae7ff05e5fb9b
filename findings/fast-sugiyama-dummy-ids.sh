#!/usr/bin/env bash
# fast-sugiyama 0.5.3: a bend of an edge can have the number of a node.
#
# An edge across several layers bends at vertices that the library adds and numbers itself. It numbers them from a little
# above the count of nodes, without regard to the numbers that the caller's nodes have. With nodes 1, 2 and 5, the bend of
# the edge from 1 to 5 is called 5 too: the layout has two places for 5, its edges don't say which is meant, and to_dict()
# keeps one of both. Nodes 1, 2 and 3 are fine. In a graph of one part, texts as names help: a bend is always a number
# (fast-sugiyama-parts.sh has the case of several parts).
#
# Output seen:
#   nodes 1, 2, 3: placed [1, 2, 3, 5]
#   nodes 1, 2, 5: placed [1, 2, 5, 5], edges [(1, 2), (1, 5), (2, 5), (5, 5)]
#   nodes '1', '2', '5': placed ['1', '2', '5', 5]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fast-sugiyama==0.5.3
"$folder/venv/bin/python" - >"$folder/seen" <<'PY'
from fast_sugiyama import from_edges


def layout(top, middle, bottom):
    """Place three nodes in three layers: the edge from top to bottom passes the middle one."""
    ((places, _width, _height, edges),) = from_edges([(top, middle), (middle, bottom), (top, bottom)])
    return sorted((name for name, _ in places), key=str), sorted(edges, key=str)


print("nodes 1, 2, 3: placed", layout(1, 2, 3)[0])
print("nodes 1, 2, 5: placed {}, edges {}".format(*layout(1, 2, 5)))
print("nodes '1', '2', '5': placed", sorted(layout("1", "2", "5")[0], key=repr))
PY
diff - "$folder/seen" <<'SEEN'
nodes 1, 2, 3: placed [1, 2, 3, 5]
nodes 1, 2, 5: placed [1, 2, 5, 5], edges [(1, 2), (1, 5), (2, 5), (5, 5)]
nodes '1', '2', '5': placed ['1', '2', '5', 5]
SEEN
echo "as described"
