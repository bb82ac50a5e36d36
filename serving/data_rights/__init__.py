"""Data rights under the UK GDPR: a copy for the person, erasure, and retention limits."""
