"""Joins rows about one event (a supply, contact, stay or referral) and keeps its earlier versions."""
