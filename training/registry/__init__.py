"""MLflow: runs, versions, promotion gates and the bundle that serves. Only ``tracking`` imports mlflow."""
