"""What was done about a listing: recorded once, edited by replacing, never overwritten."""
