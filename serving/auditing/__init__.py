"""What the auditor sees: who saw whom, when, why and with which model; and emergency access, which callers open
here."""
