"""One module for each family of care gaps; each finds its gaps in one person's records."""
