"""Raw tables into typed, checked and sorted tables, with every row that was set aside and why."""
