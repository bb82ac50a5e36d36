"""Reads MHSDS submissions (monthly, v5 and v6) into our tables, and writes a store as MHSDS.

The report names what MHSDS cannot give: bookings (a contact after the reporting period is rejected) and medicines
(MHS107 is hardly used). Add them from a second source (``--into``).
"""

from features.records.sources.mhsds.export import export
from features.records.sources.mhsds.ingest import ingest, lines, read_mhsds

__all__ = ["export", "ingest", "lines", "read_mhsds"]
