"""Monitoring schedules: which check applies to whom, and when it is due."""
