"""What a person said about a piece of overdue care: acknowledged, booked, not applicable or done, until a date."""
