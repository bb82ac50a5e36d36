"""Training, evaluation and promotion: from records to a bundle that a service may load. Only
``training.registry.tracking`` imports mlflow."""
