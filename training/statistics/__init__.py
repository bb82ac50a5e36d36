"""Metrics and resampling, independent of what is evaluated."""
