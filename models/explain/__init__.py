"""Reasons in clinical words, what-ifs, and the protected characteristics that are never reasons."""
