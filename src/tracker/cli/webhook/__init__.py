"""`tracker webhook`: sends changes of events to other systems."""
