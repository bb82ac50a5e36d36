"""The served model, and whether the service is ready."""
