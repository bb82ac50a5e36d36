"""The page of the blind rating."""
