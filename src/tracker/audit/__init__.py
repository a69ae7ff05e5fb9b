"""How entries of the audit log are chained, signed and verified, by servers and by commands."""
