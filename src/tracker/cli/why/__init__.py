"""`tracker why`."""
