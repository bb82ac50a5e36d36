"""Reviews: recorded once, corrected by a new version, never overwritten."""
