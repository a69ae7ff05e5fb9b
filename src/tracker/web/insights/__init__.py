"""Insights: counts, durations and failure rates over time and by field."""
