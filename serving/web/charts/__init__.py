"""Pictures of a page, drawn on the server: bars, trends and a year of a person's care."""
