"""Turns raw tables into typed, checked and sorted tables, and lists every row that was set aside and why."""
