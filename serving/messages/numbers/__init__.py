"""Mobile numbers and consent: one way to write a number, and the sealed table that a trust loads."""
