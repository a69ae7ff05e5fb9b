"""`tracker catalog`: describes what runs, and reports who uses what in which version."""
