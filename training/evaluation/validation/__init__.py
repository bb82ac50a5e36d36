"""Judging a model that exists on records that had no part in making it."""
