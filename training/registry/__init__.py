"""MLflow: runs, versions, promotion gates and the served bundle. Only ``tracking`` imports mlflow."""
