"""The lock service."""
