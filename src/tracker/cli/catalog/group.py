"""The group of commands `tracker catalog`."""

from __future__ import annotations

from typing import Annotated

import typer

from tracker.cli.exits import CATALOG_TABLE
from tracker.cli.group import client_group, epilog

EPILOG = epilog(CATALOG_TABLE)
"""What stands below the help of each command."""

app = client_group("Keep the catalog: what runs, who answers for it, what it uses in which version.", EPILOG)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the entry.")]
