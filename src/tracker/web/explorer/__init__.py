"""The Explorer: events found by a query, with counts beside and above the list."""
