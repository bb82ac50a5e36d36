"""Fitting: boosters, tuning, permanent benchmarks and the simple rules a team could use instead."""
