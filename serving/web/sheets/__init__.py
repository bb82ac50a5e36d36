"""Sheets to take along or to send: the conversation sheet and the letter to the GP. They show what the record holds,
and never a risk.
"""
