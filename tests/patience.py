"""How long tests wait for what must happen soon: it costs nothing where that happens."""

PATIENCE = 90.0
"""Seconds within which it has happened on the slowest machine, while that does other work too."""
