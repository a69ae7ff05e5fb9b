"""`tracker audit`: lists, verifies and exports the audit log, and erases personal values from it."""
