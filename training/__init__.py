"""Training, evaluation and promotion: from records to a bundle that a service may load. Only ``training.tracking`` imports mlflow."""
