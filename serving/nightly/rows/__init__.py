"""Rows that a nightly run writes for the pages, as values of the service's tables."""
