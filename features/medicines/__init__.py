"""Medicines over time: who takes what, for how long, and how well supplies cover the days."""
