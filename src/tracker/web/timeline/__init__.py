"""The Timeline: events as bars over time, in lanes."""
