"""What the auditor sees: who saw whom, when, why and with which model. Also emergency access, which callers open
here.
"""
