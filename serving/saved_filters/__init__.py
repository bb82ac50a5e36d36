"""Filters of the list that somebody saved under a name, for themselves."""
