"""Which recorded change may have caused an incident: features of changes, their weights, and the ranking."""
