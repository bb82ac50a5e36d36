"""Published runs: writes one whole, and decides which one everybody sees."""
