"""FHIR R4 output: risks, care gaps and proposals as resources, one by one and as a nightly export."""
