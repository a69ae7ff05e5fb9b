"""What axe-core finds wrong with pages, by the rules of WCAG 2.2 AA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types

if TYPE_CHECKING:
    from playwright.async_api import Page

RULES: Final = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
}
FEWER: Final = (
    "document.querySelectorAll(':is(tbody tr, li):nth-child(n + 12)').forEach((each) => each.remove())"
)
"""Takes away what is like that before it, for which axe needs longer than for all the rest."""


async def faults(page: Page, *rules: str) -> list[str]:
    """Return what axe-core finds wrong with what a page shows, by all rules or by some."""
    await page.evaluate(FEWER)
    found = await Axe().run(page, options=RULES | ({"runOnly": rules} if rules else {}))
    return [
        f"{each['id']}: {node['html'][:150]} {node['failureSummary']}"
        for each in found.response["violations"]
        for node in each["nodes"][:3]
    ]
