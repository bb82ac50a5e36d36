"""The nightly run: scores records and publishes worklists, whole or not at all."""
