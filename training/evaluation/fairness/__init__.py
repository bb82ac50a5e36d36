"""Figures by group and team: levels, suppression of small numbers, and shortfalls larger than chance."""
