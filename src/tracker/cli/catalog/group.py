"""The group of commands `tracker catalog`."""

from __future__ import annotations

from tracker.cli.exits import CATALOG_TABLE
from tracker.cli.group import client_group, epilog

EPILOG = epilog(CATALOG_TABLE)
"""The exit codes, printed after the help of each command."""

app = client_group("Manage the catalog: what runs, who is responsible, and which versions it uses.", EPILOG)
