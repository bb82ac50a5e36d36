"""Simulates retraining after a list went live: on the unchanged rows, and with the exposure log."""
