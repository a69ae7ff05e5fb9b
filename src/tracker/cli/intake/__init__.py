"""`tracker intake`."""
