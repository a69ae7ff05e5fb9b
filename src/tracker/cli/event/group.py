"""The group of commands `tracker event`."""

from __future__ import annotations

from tracker.cli.exits import EVENT_TABLE
from tracker.cli.group import client_group, epilog

EPILOG = epilog(EVENT_TABLE)
"""The exit codes, printed after the help of each command."""

app = client_group("Record, change and find deployments, operations, drifts and incidents.", EPILOG)
