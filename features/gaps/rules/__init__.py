"""Rules that find care gaps in one person's records, one package for each kind of care."""
