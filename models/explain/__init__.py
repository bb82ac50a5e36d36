"""Reasons in clinical words, what-ifs, and what may never be shown as a reason."""
