"""Who in the team a person is given to, what to know when they are handed over, and who is for this week."""
