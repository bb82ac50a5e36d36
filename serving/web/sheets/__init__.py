"""Papers to take along or to send: the conversation sheet and the letter to the GP. They say what the record holds, and
never a risk."""
