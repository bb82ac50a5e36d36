"""Simulates retraining after a list went live: on the rows as they are, and with the exposure log."""
