"""Search and counts of events in SQLite."""
