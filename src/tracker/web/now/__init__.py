"""The first page: what is happening at this moment, and what matters of the last day and of today."""
