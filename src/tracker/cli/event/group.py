"""The group of commands `tracker event`."""

from __future__ import annotations

from tracker.cli.exits import EVENT_TABLE
from tracker.cli.group import client_group, epilog

EPILOG = epilog(EVENT_TABLE)
"""What stands below the help of each command."""

app = client_group("Record deployments, operations, drifts and incidents; change and find them.", EPILOG)
