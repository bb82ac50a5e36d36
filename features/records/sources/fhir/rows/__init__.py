"""FHIR resources as rows, one module for each kind of resource."""
