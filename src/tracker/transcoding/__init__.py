"""Conversion of messages to and from JSON, query strings and paths, as the protos define it."""
