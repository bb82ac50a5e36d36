"""Trials of the model beyond its test rows: refits, planted causes and faults, random rows."""
