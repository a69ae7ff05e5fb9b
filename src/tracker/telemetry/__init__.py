"""What a server reports of its work: log lines and metrics."""
