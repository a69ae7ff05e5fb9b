"""Retention of events, legal holds, and the erasure of persons."""
