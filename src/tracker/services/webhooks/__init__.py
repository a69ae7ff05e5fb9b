"""Webhooks: other systems hear of changes of events."""
