"""Reads extracts in four formats: OMOP, FHIR, MHSDS and HES. Product names come from the NHS dm+d."""
