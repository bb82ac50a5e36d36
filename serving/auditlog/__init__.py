"""The audit log: one chained event before any row about a person leaves."""
