"""The Calendar: planned work and incidents by day, as a page and as iCalendar."""
