"""Evaluates an existing model on records that were not used to make it."""
