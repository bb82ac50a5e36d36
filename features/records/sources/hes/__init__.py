"""Reads Hospital Episode Statistics: outpatient appointments and admitted care of mental health specialties."""

from features.records.sources.hes.ingest import ingest, lines, read_hes

__all__ = ["ingest", "lines", "read_hes"]
