"""The pages of freeze windows: when they are in effect, one of them with its form, and an iCalendar feed."""
