"""Reads the files of a FHIR extract batch by batch, on every core."""
