"""`tracker dora`."""
