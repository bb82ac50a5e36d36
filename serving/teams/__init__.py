"""A team as a whole: who is new and who left its list, its certain gaps, its reviews against capacity, and who its
slots reach."""
