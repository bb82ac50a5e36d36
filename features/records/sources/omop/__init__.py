"""Reads OMOP CDM 5.2 to 5.4 extracts into our tables, with the mapping tables in ``mappings/``.

OMOP has no referral (an observation period is used), no team (the care site is used), no day on which a row became
known (``Records`` applies its usual delays and reports them), no missed appointments (every visit took place), no
ward and no legal status. The report says so; no value is invented.
"""

from features.records.sources.omop.extract import OmopExtract, read
from features.records.sources.omop.ingest import ingest, lines

__all__ = ["OmopExtract", "ingest", "lines", "read"]
