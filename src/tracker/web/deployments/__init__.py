"""Whether something may be deployed."""
