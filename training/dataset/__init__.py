"""Training data: who is scored when, labels, and splits by time and by patient."""
