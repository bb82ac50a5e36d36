"""Compiled loops (numba) over one person's events. Every loop checks both clocks."""
