"""The command `tracker`: one file a command, which imports what is slow to import when it runs."""
