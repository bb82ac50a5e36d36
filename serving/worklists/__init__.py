"""Teams and their ranked worklists."""
