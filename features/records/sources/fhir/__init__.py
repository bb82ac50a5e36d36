"""FHIR R4 (UK Core) as NDJSON, Bulk Data exports or Bundles, read into our tables through the mapping tables in
``mappings/``.

R4 has no reason for closing an episode, no team capacity and no deprivation. The report says so; no value is invented.
"""

from features.records.sources.fhir.export import export
from features.records.sources.fhir.ingest import FhirExtract, ingest, lines, read_fhir, summary
from features.records.sources.fhir.replay import ingest_with_ledger, replay

__all__ = ["FhirExtract", "export", "ingest", "ingest_with_ledger", "lines", "read_fhir", "replay", "summary"]
