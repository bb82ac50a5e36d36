"""Scores histories: risks, reasons and gaps. One scoring function, and a route that stores nothing."""
