"""The page on which anybody signed in reports an incident."""
