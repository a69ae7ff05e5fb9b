"""What a server tells of its work: log lines and metrics."""
