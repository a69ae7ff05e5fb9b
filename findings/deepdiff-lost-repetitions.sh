#!/usr/bin/env bash
# deepdiff 9.1.0 (PyPI): when equal items of a list all change, the difference says nothing of how many there are.
#
# With `ignore_order=True` lists are compared as sets; `report_repetition=True` is there so that counts matter too, and a Delta
# needs it to rebuild the other list. It does report that one container became two of the same. But where the items also
# changed, each distinct item is paired with one that resembles it, and the pair stands for all its repetitions: a scale-out
# from one replica to three together with a new image reads as a new image, and a scale-in from three to one as three new ones.
# The Delta then makes another list than the one compared, without an error, and a comparison of both tells them apart.
# `cutoff_distance_for_pairs=0` pairs nothing: removed and added items are all named, and the Delta is right.
#
# Output seen:
#   1 of shop:1.4, then 3 of shop:1.4: repetition_change 1; the Delta makes 3 of shop:1.4
#   1 of shop:1.4, then 3 of shop:1.5: values_changed 1; the Delta makes 1 of shop:1.5
#   3 of shop:1.4, then 1 of shop:1.5: values_changed 3; the Delta makes 3 of shop:1.5
#   without pairs:
#   1 of shop:1.4, then 3 of shop:1.5: iterable_item_added 3, iterable_item_removed 1; the Delta makes 3 of shop:1.5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check deepdiff==9.1.0
cat >"$folder/drift.py" <<'PY'
from deepdiff import DeepDiff, Delta


def replicas(count, image):
    return [{"image": image, "port": 80} for _ in range(count)]


def shown(containers):
    return f"{len(containers)} of {containers[0]['image']}"


def compare(wanted, found, **options):
    difference = DeepDiff(wanted, found, ignore_order=True, report_repetition=True, **options)
    said = ", ".join(f"{kind} {len(items)}" for kind, items in sorted(difference.items()))
    print(f"{shown(wanted)}, then {shown(found)}: {said}; the Delta makes {shown(wanted + Delta(difference))}")


compare(replicas(1, "shop:1.4"), replicas(3, "shop:1.4"))
compare(replicas(1, "shop:1.4"), replicas(3, "shop:1.5"))
compare(replicas(3, "shop:1.4"), replicas(1, "shop:1.5"))
print("without pairs:")
compare(replicas(1, "shop:1.4"), replicas(3, "shop:1.5"), cutoff_distance_for_pairs=0)
PY
"$folder/venv/bin/python" "$folder/drift.py" >"$folder/seen"
cat "$folder/seen"
diff - "$folder/seen" <<'SEEN'
1 of shop:1.4, then 3 of shop:1.4: repetition_change 1; the Delta makes 3 of shop:1.4
1 of shop:1.4, then 3 of shop:1.5: values_changed 1; the Delta makes 1 of shop:1.5
3 of shop:1.4, then 1 of shop:1.5: values_changed 3; the Delta makes 3 of shop:1.5
without pairs:
1 of shop:1.4, then 3 of shop:1.5: iterable_item_added 3, iterable_item_removed 1; the Delta makes 3 of shop:1.5
SEEN
echo "as described"
