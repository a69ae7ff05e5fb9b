"""`tracker run`: runs a command, and records it as an event."""
