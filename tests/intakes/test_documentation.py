from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from tracker.intakes.senders import SENDERS

if TYPE_CHECKING:
    from tracker.intakes.recorder import Recorder

PAGE = Path(__file__).parents[2] / "docs" / "intakes.md"


def test_the_page_has_the_table_of_senders_and_a_section_for_each() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    rows = []
    for sender in SENDERS:
        paths = "`DOGSTATSD_ADDRESS`"
        if sender.intake is not None:
            routes = sender.intake(cast("Recorder", None)).routes()
            paths = ", ".join(f"`{route.verb} {route.path}`" for route in routes)
        rows.append(f"| {sender.product} | `{sender.name}` | {sender.clients} | {sender.key} | {paths} |")
        assert f"## {sender.product}" in lines
    start = lines.index("| sender | name | clients | where the key is | paths |") + 2
    assert lines[start : start + len(rows) + 1] == [*rows, ""]
