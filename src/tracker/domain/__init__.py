"""Pure rules over messages: no I/O, no clock, no framework."""
