"""What a page says of a person at one glance, as the nightly run kept it: medicines, facts, due dates, registers."""
