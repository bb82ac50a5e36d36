"""Measures whether being listed helps: the lottery's weights, the jump at the line, checks and the read-out."""
