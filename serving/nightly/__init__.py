"""The nightly run: scores records and publishes all worklists, or none."""
