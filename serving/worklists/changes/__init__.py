"""Who joined and who left a team's list, and why."""
