"""The first page: what goes on at this moment, and what matters of the last day and of today."""
