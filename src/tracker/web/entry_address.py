"""The address of an entry of the catalog, for the pages that name one."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from tracker.web.visit import address

CATALOG: Final = "/catalog"
_NOT_IN_PATHS: Final = frozenset({"", ".", ".."})
"""Names that browsers take out of a path, also where they are escaped."""


def entry_address(name: str) -> str:
    """Return the address of the page of an entry, whatever characters its name has."""
    return address(CATALOG, {"name": name}) if name in _NOT_IN_PATHS else f"{CATALOG}/{quote(name, safe='')}"
