"""Reference tables of monitoring: tests, schedules, protocols and limits of results."""
