"""Care gaps of monitoring: tests that are due, and results that need an answer."""
