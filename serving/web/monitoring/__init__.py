"""The page on which the team that owns the model watches it."""
