"""Checks a server from outside: its machine and its store, or what it answers."""
