"""How good the model is, and against what: figures with intervals, at each team's own capacity, and the report that
shows them."""
