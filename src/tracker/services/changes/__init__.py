"""What follows from changes: the consumers of the change log."""
