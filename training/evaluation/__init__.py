"""Evaluation of a model: figures with intervals, at each team's own capacity, and the report that shows them."""
