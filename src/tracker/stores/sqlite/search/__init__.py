"""How events are found and counted in SQLite."""
