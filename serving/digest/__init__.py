"""The week of each team in counts: a page, and a file to send. It names no person."""
