"""Runs `python -m tracker` as the command `tracker`."""

from __future__ import annotations

from tracker.cli.main import main

main()
