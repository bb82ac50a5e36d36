"""What comes in: stored, read, then alerts and answers, at once and again after a crash."""
