"""Fits boosters, tunes them, and fits the permanent benchmarks and the simple rules that a team could use instead."""
