"""The audit log: what is recorded in it, and the service that answers questions about it."""
