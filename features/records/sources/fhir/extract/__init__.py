"""Reads a FHIR extract: its files, batch by batch, on every core."""
