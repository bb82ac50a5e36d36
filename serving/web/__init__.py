"""The pages: the same queries as the JSON, drawn on the server, whole without a script."""
