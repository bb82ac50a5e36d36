"""Published runs: writing one whole, and saying which one everybody sees."""
