"""The rates of a simulated trust, compared with published ones."""
