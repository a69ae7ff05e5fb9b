"""The command `tracker`: its modules import what is slow to import when a command runs."""
