"""One person: risks, trend, reasons, gaps, reviews."""
