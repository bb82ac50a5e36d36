"""Logs, metrics and traces. None of them holds a patient value."""
