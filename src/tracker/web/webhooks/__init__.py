"""Webhooks: what this server tells others, and what became of each message."""
