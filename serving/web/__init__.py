"""The pages: the same queries as the JSON, rendered on the server, complete without a script."""
