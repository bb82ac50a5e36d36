"""OMOP CDM 5.2 to 5.4 extracts, read into our tables through the mapping tables in ``mappings/``.

What OMOP does not have is stated, not invented: no referral (an observation period stands for one), no team (the care
site), no second clock (``Records`` applies its usual delays and reports them), no missed appointments (every visit
took place), no ward, no legal status.
"""

from features.records.sources.omop.extract import OmopExtract, read
from features.records.sources.omop.ingest import ingest, lines

__all__ = ["OmopExtract", "ingest", "lines", "read"]
