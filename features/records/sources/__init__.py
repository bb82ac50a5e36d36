"""Reads the formats that extracts come in: OMOP, FHIR, MHSDS and HES. The NHS dm+d names their products."""
