"""The two sizes of a test that repeats something: for `make check`, and for `make soak`."""

from __future__ import annotations

import os

import pytest

SOAKING = bool(os.environ.get("SOAK"))

soaks = pytest.mark.soak
"""Marks a test that is larger in `make soak`."""


def size(usual: int, *, soak: int) -> int:
    """Return how often, or how much, on this occasion."""
    return soak if SOAKING else usual
