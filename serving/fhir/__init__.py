"""FHIR R4 out: risks, care gaps and proposals as resources, one by one and as a nightly export."""
