"""What a model is fitted on: who is scored when, labels, and splits by time and by patient."""
